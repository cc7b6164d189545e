import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPort, makeFolder, startProgram } from './program.ts'

/** An nginx of these tests, in front of a site. */
export interface Nginx {
  /** Where it is, with all settings about buffers as they come. */
  readonly url: string
  /** Where else it is; there it does not look at `X-Accel-Buffering`. */
  readonly deafUrl: string
  /** Ends it. */
  stop(): Promise<void>
}

/**
 * Starts an nginx in front of a site on this machine.
 *
 * @param settings Further settings of its location.
 */
export async function startNginx(program: string, site: string, settings = ''): Promise<Nginx> {
  const [port, deafPort] = [await findPort(), await findPort()]
  const folder = makeFolder()
  const at = (name: string) => join(folder.path, name)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const server = (own: number, more = '') =>
    `server { listen 127.0.0.1:${own}; location / { proxy_pass ${site}; proxy_set_header Host $http_host; ${more} } }`
  writeFileSync(
    at('nginx.conf'),
    `daemon off; master_process off; pid ${at('pid')}; error_log stderr;
    events {}
    http {
      access_log off;
      ${temporary.map((kind) => `${kind}_temp_path ${at(kind)};`).join('\n')}
      ${server(port, settings)}
      ${server(deafPort, 'proxy_ignore_headers X-Accel-Buffering;')}
    }`,
  )
  const running = await startProgram(program, ['-p', folder.path, '-c', at('nginx.conf'), '-e', 'stderr'], {
    port: deafPort,
    folder: folder.path,
  })
  return {
    url: `http://127.0.0.1:${port}`,
    deafUrl: `http://127.0.0.1:${deafPort}`,
    async stop() {
      await running.stop()
      folder.remove()
    },
  }
}
