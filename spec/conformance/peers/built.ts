// What was made once and is kept in the cache as long as what it was made from is the same.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

/** Ignored by git; everything in it can be deleted. */
export const CACHE: string = resolve('.cache/conformance')

/**
 * Makes `CACHE/name` by `make(folder)` unless it was made from the same `sources`: files, folders and
 * words. A making that failed leaves nothing behind that would be taken for whole.
 */
export async function built(
  name: string,
  sources: readonly string[],
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(CACHE, name)
  const stamp = join(CACHE, `${name}.stamp`)
  const key = digest(sources)
  if (readIfThere(stamp) === key) return folder
  rmSync(stamp, { force: true })
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  await make(folder)
  writeFileSync(stamp, key)
  return folder
}

function digest(sources: readonly string[]): string {
  const hash = createHash('sha256')
  for (const source of sources) addTo(hash, source)
  return hash.digest('hex')
}

/** A source that is no file stands for itself. */
function addTo(hash: ReturnType<typeof createHash>, source: string): void {
  const stat = statSync(source, { throwIfNoEntry: false })
  hash.update(`${relative('', source)}\n`)
  if (stat?.isDirectory()) {
    for (const entry of readdirSync(source).sort()) addTo(hash, join(source, entry))
  } else if (stat !== undefined) {
    hash.update(readFileSync(source))
  }
}

function readIfThere(file: string): string | undefined {
  return statSync(file, { throwIfNoEntry: false }) && readFileSync(file, 'utf8')
}
