/** What {@link Bus.subscribe} hands messages to. Neither method throws. */
export interface BusListener {
  /** Takes a message that somebody published; the publisher's own ones too, and one more than once, do no harm. */
  message(text: string): void
  /** Is called when messages may have been missed: the connection was lost, and is there again. */
  gap(): void
}

/**
 * Carries short messages between the processes of a site, so that a page hears at once of what another process has
 * written.
 *
 * It may lose, repeat and reorder messages: whoever listens looks into the store from time to time as well.
 */
export interface Bus {
  /**
   * Sends a message to all who subscribed, in whatever process.
   *
   * @param message Text of less than 8,000 bytes in UTF-8.
   * @throws What the system behind it throws. Rejecting at once is better than keeping messages for later.
   */
  publish(message: string): Promise<void>
  /**
   * Listens to messages. From then on, the bus reconnects by itself.
   *
   * @returns What ends that, as soon as messages arrive.
   * @throws What the system behind it throws; nothing is subscribed then.
   */
  subscribe(listener: BusListener): Promise<() => Promise<void>>
  /** Ends what the bus opened itself; a client that was handed in stays open. */
  close?(): Promise<void>
}
