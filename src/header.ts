export { type HeaderTransportOptions, headerTransport } from './client/header/header-transport.ts'
