/** Calls a listener of the page. What it throws is an error of the page: no edit and no sync fails with it. */
export function guard(call: () => void): void {
  try {
    call()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
