import { execFileSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A program that some tests cannot do without. */
interface Program {
  /** What its executable may be called. */
  readonly names: readonly string[]
  /** How to get it. */
  readonly install: string
  /** Where else than in PATH to look. */
  readonly folders?: () => readonly string[]
  /** Tells whether an executable will do. Default: any. */
  readonly suits?: (path: string) => boolean
}

const PROGRAMS = {
  chromium: {
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    install: 'sudo apt-get install chromium',
  },
  firefox: { names: ['firefox-esr', 'firefox'], install: 'sudo apt-get install firefox-esr' },
  redis: { names: ['redis-server', 'valkey-server'], install: 'sudo apt-get install redis-server' },
  memcached: { names: ['memcached'], install: 'sudo apt-get install memcached' },
  postgres: {
    names: ['postgres'],
    install: 'sudo apt-get install postgresql',
    // Debian keeps it out of PATH: several versions may be there.
    folders: () => globSync('/usr/lib/postgresql/*/bin'),
  },
  mariadb: {
    names: ['mariadbd'],
    install: 'sudo apt-get install mariadb-server',
    // Debian has it where only root looks.
    folders: () => ['/usr/sbin'],
  },
  mysql: {
    names: ['mysqld'],
    install: 'sudo .ci/install-mysql /opt/mysql',
    folders: () => ['/usr/sbin', '/opt/mysql'],
    // MariaDB has a program of that name, too.
    suits: (path) => !execFileSync(path, ['--version'], { encoding: 'utf8' }).includes('MariaDB'),
  },
  nginx: {
    names: ['nginx'],
    install: 'sudo apt-get install nginx',
    // Debian has it where only root looks.
    folders: () => ['/usr/sbin'],
  },
  varnish: {
    names: ['varnishd'],
    install: 'sudo apt-get install varnish',
    folders: () => ['/usr/sbin'],
  },
  'node 20': {
    names: ['node', 'nodejs'],
    install: 'install Node 20.19 or newer, but older than 22, and put it into PATH',
    suits: isNode20,
  },
} satisfies Record<string, Program>

/** Name of a program that can be found. */
export type ProgramName = keyof typeof PROGRAMS

/** How to get a program. */
export function howToInstall(name: ProgramName): string {
  return PROGRAMS[name].install
}

/** Finds a program in PATH; `undefined` if it is missing. */
export function findProgram(name: ProgramName): string | undefined {
  const { names, suits, folders: others }: Program = PROGRAMS[name]
  // npm puts the project's own programs, such as a newer Node, before the machine's.
  const inPath = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
  const folders = [...inPath, ...(others?.() ?? [])]
  const paths = names.flatMap((name) => folders.map((folder) => join(folder, name)))
  return paths.find((path) => existsSync(path) && (suits?.(path) ?? true))
}

/** Programs that are missing, and that this run may do without: `BREADBIN_WITHOUT` has their names, with commas between. */
export function doneWithout(): ProgramName[] {
  const allowed = process.env.BREADBIN_WITHOUT?.split(',') ?? []
  // The keys are the names.
  const names = Object.keys(PROGRAMS) as ProgramName[]
  return names.filter((name) => allowed.includes(name) && !findProgram(name))
}

function isNode20(path: string): boolean {
  const [major = 0, minor = 0] = execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' })
    .split('.')
    .map(Number)
  return (major === 20 && minor >= 19) || major === 21
}
