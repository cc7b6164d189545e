/**
 * Loaded before a process, it lets every third link, rename and unlink take a pause before and after, of up to 20 ms: long
 * enough for other processes to make several steps in between.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const { linkSync } = fs
const { rename, unlink } = fs.promises

fs.linkSync = (existing, path) => {
  pause()
  linkSync(existing, path)
  pause()
}
fs.promises.rename = async (...paths) => {
  pause()
  await rename(...paths)
  pause()
}
fs.promises.unlink = async (path) => {
  pause()
  await unlink(path)
  pause()
}
syncBuiltinESMExports()

function pause(): void {
  if (Math.random() > 1 / 3) return
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.random() * 20)
}
