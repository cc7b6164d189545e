import { headerTransport } from '../../../src/client/header/header-transport.ts'
import { openBins } from '../../../src/client/open-bins.ts'
import { headerBins } from './header-bins.ts'

// The page says where its server is, if that is elsewhere.
const { server } = globalThis as { server?: string }
const elsewhere = server === undefined ? {} : { origin: server }
Object.assign(globalThis, { opened: openBins(headerBins, { transport: headerTransport(elsewhere) }) })
