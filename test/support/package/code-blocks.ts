/** A fenced block of code in a document. */
export interface CodeBlock {
  /** First word behind the fence, such as `ts`. */
  readonly language: string
  /** Further words behind it, such as `run`. */
  readonly tags: readonly string[]
  /** Number of its first line in the document, from 1. */
  readonly line: number
  /** The code, without the indentation of its fence. */
  readonly code: string
  /** Name of the file that a comment in its first line gives it, if any. */
  readonly file: string | undefined
}

/** Finds the fenced blocks of a Markdown document. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const fences = /^( *)(`{3,})(.*)\n((?:(?!\1\2).*\n)*?)\1\2`* *$/gm
  return [...markdown.matchAll(fences)].map(([, indent = '', , words = '', body = ''], index, all) => {
    const [language = '', ...tags] = words.trim().split(/\s+/)
    const line = markdown.slice(0, all[index]?.index).split('\n').length + 1
    const code = body.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
    return { language, tags, line, code, file: /^(?:\/\/|<!--) ([\w./-]+\.\w+)/.exec(code)?.[1] }
  })
}
