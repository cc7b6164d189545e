import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Issue } from '../error.ts'

/** Answer of {@link validate}: the schema's output, or why it refused. */
export type Validation = { readonly data: unknown } | { readonly issues: readonly Issue[] }

/**
 * Asks a Standard Schema about data.
 *
 * @throws TypeError for a schema that answers with a promise: `get` and `set` are synchronous.
 */
export function validate(schema: StandardSchemaV1 | undefined, data: unknown): Validation {
  if (!schema) return { data }
  const result = schema['~standard'].validate(data)
  if (result instanceof Promise) {
    result.catch(() => {}) // Its outcome is of no use to anybody.
    throw new TypeError('The schema is asynchronous; a bin needs one that answers at once.')
  }
  return result.issues ? { issues: result.issues } : { data: result.value }
}
