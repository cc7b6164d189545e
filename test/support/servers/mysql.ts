import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPort, makeFolder, type Started, startProgram, unprivileged } from './program.ts'

/** A MariaDB or MySQL of these tests: an empty database on a port of its own, in a temporary folder. */
export interface Mysql {
  /** Where it is, for clients, as a user who may do everything. */
  readonly url: string
  /** Ends it, and starts it again at the same place: all connections are lost. */
  restart(signal?: NodeJS.Signals): Promise<void>
  /** Ends it, until `start`. */
  halt(): Promise<void>
  /** Starts it again. */
  start(): Promise<void>
  /** Sends it a signal, such as SIGSTOP. */
  signal(signal: NodeJS.Signals): void
  /** Ends it, and deletes its folder. */
  stop(): Promise<void>
}

/** What a new server is told: by default it has a user who is let in through its socket file alone. */
const FIRST_STATEMENTS = `CREATE DATABASE IF NOT EXISTS breadbin;
CREATE USER IF NOT EXISTS breadbin@'127.0.0.1';
GRANT ALL ON *.* TO breadbin@'127.0.0.1' WITH GRANT OPTION;
`

/** For both: some containers have no room for asynchronous input and output. */
const OPTIONS = ['--innodb-use-native-aio=0', '--innodb-buffer-pool-size=64M', '--skip-log-bin']

/** Options of a server. */
export interface MysqlOptions {
  /** A folder in which tables may be, too. */
  readonly tables?: string | undefined
}

/** Starts a MariaDB, where any folder may have tables. */
export function startMariadb(program: string): Promise<Mysql> {
  return startServer({
    installer: 'mariadb-install-db',
    installerOptions: ['--skip-test-db'],
    program,
    programOptions: [],
  })
}

/** Starts a MySQL. */
export function startMysql(program: string, { tables }: MysqlOptions = {}): Promise<Mysql> {
  return startServer({
    installer: program,
    installerOptions: ['--initialize-insecure'],
    program,
    programOptions: [
      ...['--mysqlx=OFF', '--secure-file-priv=NULL'],
      ...(tables ? [`--innodb-directories=${tables}`] : []),
    ],
  })
}

interface Server {
  /** What makes a new database. */
  readonly installer: string
  readonly installerOptions: readonly string[]
  readonly program: string
  readonly programOptions: readonly string[]
}

/** It does not run as root, so root runs it as the user that Debian's package makes. */
async function startServer(server: Server): Promise<Mysql> {
  const port = await findPort()
  const account = unprivileged('mysql')
  const folder = makeFolder(account)
  const at = (name: string) => join(folder.path, name)
  const options = ['--no-defaults', ...OPTIONS, `--datadir=${at('data')}`]
  const { status, stdout, stderr } = spawnSync(server.installer, [...options, ...server.installerOptions], {
    cwd: folder.path,
    encoding: 'utf8',
    ...account,
  })
  if (status !== 0) throw new Error(`${server.installer} failed:\n${stdout}${stderr}`)
  writeFileSync(at('first.sql'), FIRST_STATEMENTS)
  const start = () =>
    startProgram(
      server.program,
      [
        ...[...options, `--socket=${at('socket')}`, `--pid-file=${at('pid')}`],
        ...[`--port=${port}`, '--bind-address=127.0.0.1', '--skip-name-resolve'],
        ...[`--init-file=${at('first.sql')}`, ...server.programOptions],
      ],
      { port, folder: folder.path, account },
    )
  let running: Started = await start()
  return {
    url: `mysql://breadbin@127.0.0.1:${port}/breadbin`,
    async restart(signal) {
      await running.stop(signal)
      running = await start()
    },
    halt: () => running.stop(),
    async start() {
      running = await start()
    },
    signal: (signal) => running.signal(signal),
    async stop() {
      running.signal('SIGCONT')
      await running.stop('SIGKILL')
      folder.remove()
    },
  }
}
