/** Whether the long versions of the tests run: `npm run test:long`. */
export const isLong = process.env.BREADBIN_LONG === '1'
