// Metadata ↔ the Header messages of connectconformance, where octets stand as base64.
import { Metadata } from '../../../lib/grpc/index.ts'
import type { Header } from './connect-protos.ts'

/** Adds all values to `metadata`. */
export function addHeaders(metadata: Metadata, headers: readonly Header[]): Metadata {
  for (const { name, value } of headers) {
    const isBinary = name.toLowerCase().endsWith('-bin')
    for (const text of value) metadata.append(name, isBinary ? Buffer.from(text, 'base64') : text)
  }
  return metadata
}

/** A Header for each name. */
export function headersOf(metadata: Metadata = new Metadata()): Header[] {
  const byName = new Map<string, string[]>()
  for (const [name, value] of metadata) {
    const text = typeof value === 'string' ? value : value.toString('base64')
    const values = byName.get(name)
    if (values === undefined) byName.set(name, [text])
    else values.push(text)
  }
  return [...byName].map(([name, value]) => ({ name, value }))
}
