// Runs the compiled specs on other Node versions: `npm run test:nodes [-- 22.23.3 …]`. Each binary
// comes from the npm registry into .cache, once. The last line is `N passed, N failed`.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { arch, argv, exit, platform, stdout } from 'node:process'
import { fileURLToPath } from 'node:url'

const VERSIONS = ['22.23.3', '24.21.0', '26.10.0']
const LIMIT_MS = 300_000
const root = fileURLToPath(new URL('..', import.meta.url))
const versions = argv.length > 2 ? argv.slice(2) : VERSIONS

function binaryOf(version) {
  const name = `node-${platform === 'win32' ? 'win' : platform}-${arch}`
  const prefix = `.cache/node-${version}`
  const binary = `${root}${prefix}/node_modules/${name}/bin/node`
  if (existsSync(binary)) return binary
  stdout.write(`fetching ${name}@${version}\n`)
  const args = [
    'install',
    '--no-save',
    '--no-package-lock',
    '--prefix',
    prefix,
    `${name}@${version}`,
  ]
  const { status } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`npm install ${name}@${version} failed`)
  return binary
}

/** Runs all specs in one process; the closing line of the reporter. */
function run(binary) {
  return new Promise((resolve) => {
    const specs = spawn(binary, ['dist/spec/all.js'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const reporter = spawn(binary, ['tools/reporter.mjs'], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const timer = setTimeout(() => specs.kill('SIGKILL'), LIMIT_MS)
    specs.stdout.pipe(reporter.stdin)
    let text = ''
    reporter.stdout.on('data', (chunk) => {
      text += chunk
    })
    specs.on('close', () => clearTimeout(timer))
    reporter.on('close', () => resolve(text))
  })
}

let passed = 0
let failed = 0
for (const version of versions) {
  const text = await run(binaryOf(version))
  const closing = text.trimEnd().split('\n').at(-1) ?? ''
  const [, good = '0', bad = '1'] = /^(\d+) passed, (\d+) failed/.exec(closing) ?? []
  passed += Number(good)
  failed += Number(bad)
  if (Number(bad) > 0) stdout.write(`${text}\n`)
  stdout.write(`Node ${version}: ${closing}\n`)
}
stdout.write(`${passed} passed, ${failed} failed\n`)
exit(failed > 0 ? 1 : 0)
