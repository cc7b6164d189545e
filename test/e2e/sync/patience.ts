/** Whether the long versions of the tests run: `npm run test:long`. */
export const isLong = process.env.BREADBIN_LONG === '1'

/** How long things may take on a machine that is shared, in ms. No test waits for as long, but for what it looks at. */
export const PATIENCE = {
  /** What a page does by itself. */
  timeout: 20_000,
  /** How often to look. */
  interval: 50,
  /** A whole test. */
  test: isLong ? 1_200_000 : 120_000,
}
