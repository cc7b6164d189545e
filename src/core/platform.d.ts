/**
 * What browsers and Node have beyond the language, as far as `core` uses it: all else that is global is unknown there.
 */
declare global {
  class URL {
    constructor(url: string | URL)
    readonly href: string
    readonly searchParams: URLSearchParams
  }
  class URLSearchParams {}
  class TextEncoder {
    encode(text: string): Uint8Array<ArrayBuffer>
    encodeInto(text: string, bytes: Uint8Array): { written: number }
  }
  class TextDecoder {
    constructor(encoding: 'utf-8', options: { fatal?: boolean; ignoreBOM?: boolean })
    decode(bytes: Uint8Array): string
  }
  function btoa(bytes: string): string
  function atob(text: string): string
}

export {}
