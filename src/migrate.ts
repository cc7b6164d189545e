export { type MigrateOptions, type Migration, type MigrationProgress, migrate } from './migrate/migrate.ts'
export { type MovingStoreOptions, movingStore } from './migrate/moving-store.ts'
