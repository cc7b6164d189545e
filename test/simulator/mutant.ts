/** What is bundled, with a rule of the protocol missing. */
export { memoryStore } from '../../src/stores/memory.ts'
export { run } from './run.ts'
