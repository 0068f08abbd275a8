// Reads TAP and prints the passing points, the whole of each failing one, and a closing line
// `N passed, N failed` (skips after it, if any). tap loads it as its reporter; it also works as a
// filter: `node dist/spec/all.js | node tools/reporter.mjs`.

import { argv, stdin, stdout } from 'node:process'
import { Transform } from 'node:stream'
import { fileURLToPath } from 'node:url'

export default class Reporter extends Transform {
  #rest = ''
  #block = []
  #openSubtests = []
  #yamlIndent = -1
  #plan
  #points = 0
  #count = { passed: 0, failed: 0, skipped: 0 }

  _transform(chunk, _encoding, done) {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop()
    for (const line of lines) this.#line(line)
    done()
  }

  _flush(done) {
    if (this.#rest) this.#line(this.#rest)
    if (this.#plan !== this.#points) this.#count.failed++ // the stream broke off
    const { passed, failed, skipped } = this.#count
    if (failed > 0) process.exitCode = 1
    const skips = skipped > 0 ? `, ${skipped} skipped` : ''
    this.push(`${this.#block.join('')}\n${passed} passed, ${failed} failed${skips}\n`)
    done()
  }

  #line(line) {
    this.#block.push(`${line}\n`)
    const text = line.trim()
    const indent = line.length - line.trimStart().length
    if (this.#yamlIndent >= 0) {
      if (indent === this.#yamlIndent && text === '...') this.#yamlIndent = -1
      return
    }
    if (text === '---') {
      this.#yamlIndent = indent
      return
    }
    if (text.startsWith('# Subtest')) {
      this.#openSubtests[indent] = this.#count.failed
      return
    }
    if (text.startsWith('Bail out!')) this.#count.failed++
    if (indent === 0 && text.startsWith('1..')) this.#plan = Number.parseInt(text.slice(3), 10)
    const point = /^(not )?ok\b/.exec(text)
    if (point !== null) this.#point(line, text, indent, point[1] !== undefined)
  }

  // A point that closes a subtest counts only when nothing inside it failed (crash, wrong plan,
  // time-out); its own assertions were counted one by one.
  #point(line, text, indent, bad) {
    const skipped = / # (SKIP|TODO)\b/i.test(text)
    const failedBefore = this.#openSubtests[indent]
    this.#openSubtests.length = indent
    if (text.endsWith('# SKIP no tests found'))
      this.#count.failed++ // an empty spec file
    else if (skipped) this.#count.skipped++
    else if (failedBefore === undefined) this.#count[bad ? 'failed' : 'passed']++
    else if (bad && failedBefore === this.#count.failed) this.#count.failed++
    if (indent > 0) return
    this.#points++
    this.push(bad && !skipped ? this.#block.join('') : `${line}\n`)
    this.#block.length = 0
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) stdin.pipe(new Reporter()).pipe(stdout)
