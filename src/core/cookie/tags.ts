/** Names of owners in public: opaque, and without any authority. */
export interface Tags {
  /** The visitor's; empty = there is none yet. */
  readonly visitor: string
  /** That of the user who is logged in; `null` = nobody is. */
  readonly user: string | null
}

/** Formats tags for the cookie that scripts can read. */
export function formatTags({ visitor, user }: Tags): string {
  return user === null ? visitor : `${visitor}.${user}`
}

/** Parses that cookie. */
export function parseTags(value: string): Tags {
  const end = value.indexOf('.')
  return end < 0
    ? { visitor: value, user: null }
    : { visitor: value.slice(0, end), user: value.slice(end + 1) }
}

/** Whether a tag is a user's: no visitor's has a dot. */
export function isUserTag(tag: string): boolean {
  return tag.includes('.')
}
