// Programs of Debian's packages: fetched with apt-get, unpacked into the cache, run from there. Needs
// no root; leaves the system as it is.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, outputOf } from '../process/child.ts'
import { built } from './built.ts'
import { findOnPath, requireOnPath, ToolMissing } from './tool-missing.ts'

/** A program of a package. */
interface DebianProgram {
  readonly package: string
  /** Upstream's; Debian's own revision, which brings fixes, is the newest. */
  readonly version: string
  /** Within the package. */
  readonly file: string
  /** Packages of libraries that a small system does not have. */
  readonly libraries: readonly string[]
}

const NGHTTP2 = '1.52.0'
const NGHTTP2_LIBRARIES = ['libnghttp2-14', 'libev4', 'libjemalloc2']

/** One of the programs. */
export type DebianTool = 'knotd' | 'nginx' | 'haproxy' | 'nghttpx' | 'nghttpd' | 'nghttp' | 'etcd'

/** Those of Debian 12. */
const PROGRAMS: Readonly<Record<DebianTool, DebianProgram>> = {
  knotd: {
    package: 'knot',
    version: '3.2.6',
    file: 'usr/sbin/knotd',
    libraries: [
      'libbpf1',
      'libcap-ng0',
      'libdnssec9',
      'libknot13',
      'liblmdb0',
      'liburcu8',
      'libxdp1',
      'libzscanner4',
    ],
  },
  nginx: {
    package: 'nginx',
    version: '1.22.1',
    file: 'usr/sbin/nginx',
    libraries: ['libpcre2-8-0'],
  },
  haproxy: {
    package: 'haproxy',
    version: '2.6.12',
    file: 'usr/sbin/haproxy',
    libraries: ['liblua5.3-0', 'libopentracing-c-wrapper0', 'libopentracing1', 'libpcre2-8-0'],
  },
  nghttpx: {
    package: 'nghttp2-proxy',
    version: NGHTTP2,
    file: 'usr/sbin/nghttpx',
    libraries: [...NGHTTP2_LIBRARIES, 'libc-ares2'],
  },
  nghttpd: {
    package: 'nghttp2-server',
    version: NGHTTP2,
    file: 'usr/sbin/nghttpd',
    libraries: NGHTTP2_LIBRARIES,
  },
  nghttp: {
    package: 'nghttp2-client',
    version: NGHTTP2,
    file: 'usr/bin/nghttp',
    libraries: [...NGHTTP2_LIBRARIES, 'libjansson4', 'libxml2', 'libicu72'],
  },
  etcd: { package: 'etcd-server', version: '3.4.23', file: 'usr/bin/etcd', libraries: [] },
}

const FETCH_MS = 5 * 60_000

/**
 * How a program is started, without its arguments. On a system without apt-get it is the one on the
 * PATH, of whatever version.
 */
export async function debianTool(
  name: DebianTool,
  progress: (line: string) => void,
): Promise<Command> {
  const program = PROGRAMS[name]
  if (findOnPath('apt-get') === undefined) {
    const install = `the package manager of this system (${program.version})`
    return { file: requireOnPath(name, install), args: [] }
  }
  const sources = [program.package, program.version, ...program.libraries]
  const folder = await built(`debian/${name}`, sources, (made) =>
    fetchInto(made, program, progress),
  )
  return {
    file: join(folder, program.file),
    args: [],
    env: { LD_LIBRARY_PATH: libraryFolders(folder).join(':') },
  }
}

async function fetchInto(
  folder: string,
  { package: name, version, libraries }: DebianProgram,
  progress: (line: string) => void,
): Promise<void> {
  progress(`fetches ${name} ${version} (apt-get download)`)
  const wanted = [`${name}=${version}-*`, ...libraries]
  const args = ['-q', '-o', 'APT::Sandbox::User=', 'download', ...wanted]
  try {
    await outputOf({ file: requireOnPath('apt-get', ''), args, cwd: folder }, FETCH_MS)
  } catch (error) {
    if (!/Unable to locate|was not found|No packages found|404/.test(String(error))) throw error
    throw new ToolMissing(`${name} ${version} of Debian 12`, 'apt-get update, then run this again')
  }
  const dpkg = requireOnPath('dpkg', 'apt-get install dpkg')
  for (const archive of readdirSync(folder)) {
    await outputOf({ file: dpkg, args: ['-x', archive, '.'], cwd: folder }, FETCH_MS)
  }
}

/** Debian keeps libraries in a folder for the kind of machine, such as x86_64-linux-gnu. */
function libraryFolders(folder: string): string[] {
  return ['usr/lib', 'lib']
    .map((root) => join(folder, root))
    .filter((root) => existsSync(root))
    .flatMap((root) => readdirSync(root).map((entry) => join(root, entry)))
    .filter((path) => path.endsWith('-linux-gnu'))
}
/** The version with Debian's revision, or upstream's alone without apt-get. */
export async function debianVersion(name: DebianTool): Promise<string> {
  const { file } = await debianTool(name, () => {})
  const { package: packageName, version, file: inside } = PROGRAMS[name]
  if (!file.endsWith(inside)) return version
  const folder = file.slice(0, -inside.length)
  const archive = readdirSync(folder).find((entry) => entry.startsWith(`${packageName}_`))
  return archive?.split('_')[1] ?? version
}
