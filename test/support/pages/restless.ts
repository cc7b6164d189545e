import type { Store } from '../../../src/stores/store.ts'

/** Lets every call take a random number of turns of the event loop, before and after. */
export function restless(store: Store): Store {
  const pause = async () => {
    for (let turns = Math.floor(Math.random() * 3); turns > 0; turns -= 1) await new Promise(setImmediate)
  }
  const slow =
    <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      await pause()
      const result = await call(...args)
      await pause()
      return result
    }
  const { durable, read, write, delete: remove, sweep, versions, scan, close } = store
  return {
    durable,
    read: slow(read),
    write: slow(write),
    delete: slow(remove),
    sweep: slow(sweep),
    ...(versions && { versions: slow(versions) }),
    ...(scan && { scan: slow(scan) }),
    ...(close && { close }),
  }
}
