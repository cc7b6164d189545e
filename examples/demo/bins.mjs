import { defineBins } from 'breadbin'
import * as v from 'valibot'
import { breads, MAX_PIECES, mergeCarts, regions } from './shop.mjs'

const Pieces = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_PIECES))

/** Everything this site keeps of a person. The server and the page import this very file. */
export const bins = defineBins({
  // A cookie that both sides read and write: it is there before the first byte of HTML.
  theme: {
    schema: v.picklist(['auto', 'light', 'dark']),
    default: 'auto',
    storage: 'cookie',
    maxAge: '400d',
  },
  region: { schema: v.picklist(Object.keys(regions)), default: 'en-US', storage: 'cookie', maxAge: '400d' },

  // In the server's store, with a copy in the browser that works offline.
  cart: {
    schema: v.record(v.picklist(Object.keys(breads)), Pieces),
    default: {},
    storage: 'server',
    browser: 'write',
    maxAge: '90d',
    merge: mergeCarts,
  },

  // On this device, and nowhere else.
  draft: { schema: v.pipe(v.string(), v.maxLength(2_000)), default: '', storage: 'device' },

  // A signed cookie: the page reads it, only the server writes it.
  plan: { schema: v.picklist(['free', 'plus', 'gold']), default: 'free', storage: 'cookie', browser: 'read' },

  // In the server's store only: a browser has no way to it, unless a page shows it.
  seen: { schema: v.number(), default: 0, storage: 'server' },
})
