import { openBins } from '../../../src/client/client.ts'
import { headerBins } from './header-bins.ts'

// The page says where its server is, if that is elsewhere.
const { server } = globalThis as { server?: string }
const elsewhere = server === undefined ? {} : { origin: server }
Object.assign(globalThis, { opened: openBins(headerBins, { transport: 'header', ...elsewhere }) })
