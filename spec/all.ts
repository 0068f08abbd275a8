// Loads every spec file into one process: the quick inner loop, and what other Node versions run.
// No isolation and no time-out for a single file; `npm test` has both. Without those of infra/, which
// need programs of others.
import { readdirSync } from 'node:fs'
import t from 'tap'

// tap would end the whole process after 30 s.
t.setTimeout(0)
const here = new URL('./', import.meta.url)
for (const name of readdirSync(here, { recursive: true, encoding: 'utf8' }).sort()) {
  if (/^(?!infra).*\.spec\.js$/.test(name)) await import(new URL(name, here).href)
}
