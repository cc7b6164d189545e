import { describe, it } from 'vitest'
import { memoryBus } from '../../src/buses/memory.ts'
import { busSuite } from '../support/stores/bus-suite.ts'

describe('memoryBus', () => {
  const bus = memoryBus()
  busSuite(it, async () => bus)
})
