import { needs } from '../needs.ts'
import { type Mysql, type MysqlOptions, startMariadb, startMysql } from '../servers/mysql.ts'

/** A database that speaks MySQL's protocol. */
export interface MysqlServer {
  readonly name: 'MariaDB' | 'MySQL'
  start(options?: MysqlOptions): Promise<Mysql>
}

/** Those that are on this machine; skipped tests take the place of others. */
export function mysqlServers(): MysqlServer[] {
  const [mariadb, mysql] = [needs('mariadb'), needs('mysql')]
  const servers: MysqlServer[] = []
  if (mariadb) servers.push({ name: 'MariaDB', start: () => startMariadb(mariadb) })
  if (mysql) servers.push({ name: 'MySQL', start: (options) => startMysql(mysql, options) })
  return servers
}
