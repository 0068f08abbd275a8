// What makes a suite fail besides its cases: fewer cases than pinned, a fault of the suite, a program
// that dies, a case that hangs. And how results read.
import t from 'tap'
import { requireOnPath } from './peers/tool-missing.ts'
import { junitXml } from './report/junit.ts'
import { markdownTable } from './report/markdown.ts'
import { resultText, totalOf } from './report/text.ts'
import type { Subject, Suite, SuiteResult } from './suite.ts'
import { SuiteRun } from './suite-run.ts'

const subject: Subject = { name: 'nobody', roles: {} }

function suiteOf(execute: Suite['execute'], cases = 1): Suite {
  return {
    name: `spec-${process.pid}`,
    summary: '',
    roles: [],
    groups: () => [{ name: 'all', cases }],
    peers: async () => ['peer 1.2'],
    execute,
  }
}

function resultOf(execute: Suite['execute'], cases?: number): Promise<SuiteResult> {
  return new SuiteRun(suiteOf(execute, cases), subject, { full: false }, () => {}).execute()
}

/** Names and reasons of what failed. */
function failuresOf({ cases }: SuiteResult): string[] {
  return cases.flatMap(({ name, failure }) =>
    failure === undefined ? [] : [`${name}: ${failure.reason}`],
  )
}

t.test('a suite passes when every pinned case does', async (t) => {
  const result = await resultOf(async (run) => {
    await run.check('all', 'one', async () => {})
  })
  t.strictSame(failuresOf(result), [])
  t.strictSame(totalOf([result]), { passed: 1, failed: 0 })
})

t.test('a suite fails when', async (t) => {
  const ways: Record<string, [Suite['execute'], RegExp]> = {
    'it runs fewer cases than are pinned': [
      async () => {},
      /^the count of all: ran 0 cases; 1 are/,
    ],
    'it runs more cases than are pinned': [
      async (run) => {
        run.passed('all', 'one')
        run.passed('all', 'two')
      },
      /^the count of all: ran 2 cases; 1 are/,
    ],
    'a case fails': [
      (run) => run.check('all', 'one', async () => Promise.reject(new Error('wrong'))),
      /^one: wrong$/,
    ],
    'a case hangs': [
      (run) => run.check('all', 'one', () => new Promise(() => {}), 1),
      /^one: took longer than 1 ms$/,
    ],
    'it breaks itself': [
      async (run) => {
        run.passed('all', 'one')
        throw new Error('no such tool')
      },
      /^the suite itself: no such tool$/,
    ],
    'a toolchain is missing': [
      async (run) => {
        run.passed('all', 'one')
        requireOnPath('no-such-toolchain', 'apt-get install it')
      },
      /^the suite itself: no-such-toolchain is missing; install it with: apt-get install it$/,
    ],
    'a program dies': [
      async (run) => {
        run.passed('all', 'one')
        const child = run.start({ file: process.execPath, args: ['-e', 'console.log("gone")'] })
        await child.exited
      },
      /^its programs: .*ended early: gone$/,
    ],
    'a program cannot be started': [
      async (run) => {
        run.passed('all', 'one')
        await run.start({ file: '/no/such/program', args: [] }).exited
      },
      /^its programs: .*ENOENT/,
    ],
  }
  for (const [what, [execute, reason]] of Object.entries(ways)) {
    const failures = failuresOf(await resultOf(execute))
    t.equal(failures.length, 1, what)
    t.match(failures[0], reason, what)
  }
})

t.test('a program that still runs is stopped with the suite', async (t) => {
  let pid: Promise<RegExpExecArray> | undefined
  const result = await resultOf(async (run) => {
    const script = 'console.log("pid", process.pid); setInterval(() => {}, 1000)'
    pid = run.start({ file: process.execPath, args: ['-e', script] }).line(/pid (\d+)/, 10_000)
    await pid
    run.passed('all', 'one')
  })
  t.strictSame(failuresOf(result), [])
  const id = Number((await pid!)[1])
  t.throws(() => process.kill(id, 0), { code: 'ESRCH' })
})

t.test('a case that fails has the frames of its time, and no others', async (t) => {
  const { appendFileSync } = await import('node:fs')
  const result = await resultOf(async (run) => {
    const { path } = run.traceFile('server')
    appendFileSync(path, '#1 < PING\n')
    await run.check('all', 'one', async () => {
      appendFileSync(path, '#2 > GOAWAY\n')
      throw new Error('wrong')
    })
  })
  t.equal(result.cases[0]?.failure?.frames, '#2 > GOAWAY\n')
})

t.test('results', async (t) => {
  const result: SuiteResult = {
    suite: 'some',
    subject: 'nobody',
    groups: [
      { name: 'a', cases: 1 },
      { name: 'b', cases: 1000 },
    ],
    cases: [
      { group: 'a', name: 'first', ms: 1, failure: undefined },
      { group: 'b', name: '<&>', ms: 2, failure: { reason: '"x"\0', frames: '> PING' } },
    ],
    ms: 1500,
  }
  t.test('are told with each failure, its frames, and the counts', async (t) => {
    t.equal(
      resultText(result),
      [
        '  FAILED b: <&>\n    "x"\0\n      > PING',
        '  a 1/1, b 0/1000 (1.5 s)',
        'some: 1 passed, 1 failed',
      ].join('\n'),
    )
  })
  t.test('are JUnit XML without what XML forbids', async (t) => {
    const xml = junitXml([result])
    t.match(xml, '<testsuite name="some (nobody)" tests="2" failures="1" skipped="0" time="1.500">')
    t.match(xml, '<testcase classname="a" name="first" time="0.001"/>')
    t.match(xml, '<testcase classname="b" name="&lt;&amp;&gt;" time="0.002">')
    t.match(xml, '<failure message="&quot;x&quot;\\x00">&quot;x&quot;\\x00\n\n&gt; PING</failure>')
  })
  t.test('are a table of suites and stacks', async (t) => {
    const suite: Suite = {
      ...suiteOf(async () => {}),
      name: 'some',
      summary: 'it works',
      groups: () => result.groups,
    }
    const subjects = [subject, { name: 'other', roles: {} }]
    t.equal(
      await markdownTable([suite], subjects, [result], { full: false }),
      [
        '| suite | what | peers | cases | nobody | other |',
        '| --- | --- | --- | ---: | ---: | ---: |',
        '| `some` | it works: a 1; b 1,000 | peer 1.2 | 1,001 | 1 | – |',
      ].join('\n'),
    )
  })
})
