/**
 * How many entries a sweep looks at for each that it may delete, in a store that has no list of what expires when. With
 * that, a server that sweeps up to 100 after every 50 writes has looked at each of a million entries after 50,000 writes.
 */
export const LOOKS_PER_DELETION = 10
