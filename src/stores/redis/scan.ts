/** Where a scan over all servers is. */
export interface ScanCursor {
  /** Which server. */
  readonly node: number
  /** The cursor of that server. */
  readonly position: string
}

/** Reads the cursor of a page: the number of the server, and the cursor that it gave. */
export function toScanCursor(cursor = '0:0'): ScanCursor {
  const [node = '', position = ''] = cursor.split(':')
  return { node: Number(node), position }
}

/** The pattern of all names that begin with a prefix, whatever is in it. */
export function toScanPattern(prefix: string): string {
  return `${prefix.replaceAll(/[\\*?[\]^]/g, '\\$&')}*`
}
