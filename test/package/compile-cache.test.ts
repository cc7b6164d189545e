import { existsSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { setup } from '../support/compile-cache.ts'
import { run } from '../support/run.ts'

const before = process.env.NODE_COMPILE_CACHE

afterEach(() => {
  process.env.NODE_COMPILE_CACHE = before
})

describe('what Node has compiled in a run', () => {
  it('is there for each process that a test starts', () => {
    expect(before).toBeDefined()
    const script = "process.stdout.write(String(require('node:module').getCompileCacheDir()))"
    expect(run(process.execPath, ['-e', script]).output).toContain(String(before))
  })

  it('is in a folder of this run, which is removed', () => {
    delete process.env.NODE_COMPILE_CACHE
    const remove = setup()
    const folder = String(process.env.NODE_COMPILE_CACHE)
    expect(existsSync(folder)).toBe(true)
    remove?.()
    expect(existsSync(folder)).toBe(false)
    expect(process.env.NODE_COMPILE_CACHE).toBeUndefined()
  })

  it('is made once, or where somebody wants it', () => {
    process.env.NODE_COMPILE_CACHE = 'elsewhere'
    expect(setup()).toBeUndefined()
    expect(process.env.NODE_COMPILE_CACHE).toBe('elsewhere')
  })
})
