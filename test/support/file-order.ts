import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Which files begin first: names of files and folders of tests, without their ends.
 *
 * Two files run at a time. The processes of the simulator have the lowest priority, so what runs beside it has the machine
 * to itself, as far as it makes use of it. Its two files take longer than all browsers together: one of them is there
 * beside each file of `e2e`, of which no two run at a time on two cores. Then come those that make demands on time, and
 * those that start fifty processes at once. What comes last is short.
 */
export const FIRST: readonly string[] = [
  'simulator/mutants',
  'e2e/sync',
  'e2e/bins',
  'simulator/simulator',
  'e2e/',
  'stores/mysql/connections',
  'stores/file',
  'stores/redis',
  'stores/memcached',
  'stores/postgres',
  'stores/mysql',
  'stores/sqlite',
  'stores/',
  'scenarios/processes',
]

/** Puts the files of a run in order: those of {@link FIRST}, and then all others by name. */
export class FileOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((one, other) => {
      return rankOf(one) - rankOf(other) || (one.moduleId < other.moduleId ? -1 : 1)
    })
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = FIRST.findIndex((name) => moduleId.includes(`/test/${name}`))
  return rank === -1 ? FIRST.length : rank
}
