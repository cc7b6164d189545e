import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPort, makeFolder, startProgram, unprivileged } from './program.ts'
import { type Server, startServer } from './server.ts'

/** A MariaDB or MySQL of these tests: an empty database. */
export interface Mysql extends Server {
  /** Where it is, for clients, as a user who may do everything. */
  readonly url: string
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
  return startMysqlServer({
    installer: 'mariadb-install-db',
    installerOptions: ['--skip-test-db'],
    program,
    programOptions: [],
  })
}

/** Starts a MySQL. */
export function startMysql(program: string, { tables }: MysqlOptions = {}): Promise<Mysql> {
  return startMysqlServer({
    installer: program,
    installerOptions: ['--initialize-insecure'],
    program,
    programOptions: [
      ...['--mysqlx=OFF', '--secure-file-priv=NULL'],
      ...(tables ? [`--innodb-directories=${tables}`] : []),
    ],
  })
}

interface Programs {
  /** What makes a new database. */
  readonly installer: string
  readonly installerOptions: readonly string[]
  readonly program: string
  readonly programOptions: readonly string[]
}

/** It does not run as root, so root runs it as the user that Debian's package makes. */
async function startMysqlServer(programs: Programs): Promise<Mysql> {
  const port = await findPort()
  const account = unprivileged('mysql')
  const folder = makeFolder(account)
  const at = (name: string) => join(folder.path, name)
  // A MariaDB that starts deletes what others have in its folder for temporary tables.
  const options = ['--no-defaults', ...OPTIONS, `--datadir=${at('data')}`, `--tmpdir=${folder.path}`]
  const { status, stdout, stderr } = spawnSync(
    programs.installer,
    [...options, ...programs.installerOptions],
    {
      cwd: folder.path,
      encoding: 'utf8',
      ...account,
    },
  )
  if (status !== 0) throw new Error(`${programs.installer} failed:\n${stdout}${stderr}`)
  writeFileSync(at('first.sql'), FIRST_STATEMENTS)
  const launch = () =>
    startProgram(
      programs.program,
      [
        ...[...options, `--socket=${at('socket')}`, `--pid-file=${at('pid')}`],
        ...[`--port=${port}`, '--bind-address=127.0.0.1', '--skip-name-resolve'],
        ...[`--init-file=${at('first.sql')}`, ...programs.programOptions],
      ],
      { port, folder: folder.path, account },
    )
  return {
    ...(await startServer(launch, folder, 'SIGKILL')),
    url: `mysql://breadbin@127.0.0.1:${port}/breadbin`,
  }
}
