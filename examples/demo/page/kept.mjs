import { bins } from '../bins.mjs'

const { prefix } = bins.cookie

/** How a bin is kept in this browser, as its developer tools would show it; `undefined` while it is not. */
export async function findKept(name) {
  if (bins.find(name).storage === 'cookie') return findCookie(name)
  const [key, row] = (await readRows()).find(([path]) => path.endsWith(`/${name}`)) ?? []
  if (!row) return undefined
  const lines = Object.entries(row).map(([field, value]) => `${field}: ${JSON.stringify(value)}`)
  return { place: `IndexedDB row ${key}`, raw: lines.join('\n'), bytes: sizeOf(JSON.stringify(row)) }
}

/** The cookie of a bin, as it is. */
export function findCookie(name) {
  const cookie = `${prefix}-${name}`
  const raw = document.cookie.split('; ').find((pair) => pair.startsWith(`${cookie}=`))
  return raw && { place: `cookie ${cookie}`, raw, bytes: sizeOf(raw) }
}

/** All rows of Breadbin's database, by key: `d/` is this device's own, `s/` the copy of the server's. */
async function readRows() {
  const database = await settled(indexedDB.open(`breadbin-${prefix}`))
  const table = database.transaction('rows').objectStore('rows')
  const [keys, rows] = await Promise.all([settled(table.getAllKeys()), settled(table.getAll())])
  database.close()
  return keys.map((key, index) => [key, rows[index]])
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** Bytes of a text in UTF-8. */
export function sizeOf(text) {
  return new TextEncoder().encode(text).length
}
