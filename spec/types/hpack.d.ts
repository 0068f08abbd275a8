// hpack.js has no types of its own. What the specs and benches use of it: the oracle and the peer.
declare module 'hpack.js' {
  import type { Duplex } from 'node:stream'

  interface Field {
    name: string
    value: string
    neverIndex?: boolean
    incremental?: boolean
  }
  interface Options {
    table: { maxSize: number }
  }
  interface Compressor extends Duplex {
    write(fields: readonly Field[]): boolean
    read(): Buffer | null
    _write(fields: readonly Field[], encoding: null, done: () => void): void
    updateTableSize(bytes: number): void
  }
  interface Decompressor extends Duplex {
    write(block: Buffer): boolean
    read(): Field | null
    _write(block: Buffer, encoding: null, done: () => void): void
    execute(): void
    updateTableSize(bytes: number): void
  }

  const hpack: {
    compressor: { create(options: Options): Compressor }
    decompressor: { create(options: Options): Decompressor }
    /** Bits and code of each symbol. */
    huffman: { encode: readonly (readonly [number, number])[] }
    'static-table': { table: readonly Field[] }
  }
  export default hpack
}
