export type { Bus, BusListener } from './server/bus.ts'
export type { ServerOptions } from './server/configuration.ts'
export type { FastifyPlugin } from './server/fastify.ts'
export type { AnyRequest, TrustProxy } from './server/head.ts'
export type { BinsMiddleware, BinsRequest, MiddlewareOptions } from './server/middleware.ts'
export {
  type MigrateOptions,
  type Migration,
  type MigrationProgress,
  migrate,
} from './server/migration/migrate.ts'
export { type MovingStoreOptions, movingStore } from './server/migration/moving-store.ts'
export { type NodeHandlerOptions, toNodeHandler } from './server/node.ts'
export type { OnStoreDown } from './server/parts.ts'
export type { AnyResponse, ResponseHead } from './server/response.ts'
export { generateSecret } from './server/secrets.ts'
export { type BinsServer, serveBins } from './server/server.ts'
export type { LinkOptions, ServerBins, Visitor } from './server/server-bins.ts'
export type { ReadOptions, ScanPage, Store, Stored } from './server/store.ts'
export type { UserOptions, UserResolver } from './server/user.ts'
export type { Users, VisitorOfUser } from './server/users.ts'
