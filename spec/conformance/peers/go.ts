// Peers written in Go, built from the modules of spec/peers at the versions that their go.mod pin.
import { join, resolve } from 'node:path'
import { outputOf } from '../process/child.ts'
import { built } from './built.ts'
import { requireOnPath } from './tool-missing.ts'

/** Packages by the name of what is built: several have the same last element. */
const PACKAGES = {
  h2spec: 'github.com/summerwind/h2spec/cmd/h2spec',
  h2specd: 'github.com/summerwind/h2spec/cmd/h2specd',
  connectconformance: 'connectrpc.com/conformance/cmd/connectconformance',
  'connect-grpc-server': 'connectrpc.com/conformance/cmd/grpcserver',
  'connect-grpc-client': 'connectrpc.com/conformance/cmd/grpcclient',
  behaviour: './behaviour',
  hpackpeer: './hpackpeer',
  'interop-client': 'google.golang.org/grpc/interop/client',
  'interop-server': 'google.golang.org/grpc/interop/server',
  'interop-http2': 'google.golang.org/grpc/interop/http2',
  etcd: 'go.etcd.io/etcd/server/v3',
} as const

/** A program of the Go module. */
export type GoTool = keyof typeof PACKAGES

const MODULE = resolve('spec/peers/go')
/** Modules of their own: what these need must not choose the versions of the others. */
const OWN_MODULES: Partial<Record<GoTool, string>> = { etcd: resolve('spec/peers/etcd') }
const BUILD_MS = 15 * 60_000
/** Debian's own is older than go.mod asks for. */
const INSTALL = 'curl -fL https://go.dev/dl/go1.26.0.linux-amd64.tar.gz | tar -C /usr/local -xz'

/** The path of a program, built when it is not. */
export async function goTool(name: GoTool, progress: (line: string) => void): Promise<string> {
  const go = requireOnPath('go', INSTALL)
  const packagePath = PACKAGES[name]
  const module = OWN_MODULES[name] ?? MODULE
  // A package of our own is a folder, and is built anew when it changes.
  const source = packagePath.startsWith('./') ? resolve(module, packagePath) : packagePath
  const sources = [join(module, 'go.mod'), join(module, 'go.sum'), source]
  const folder = await built(`go/${name}`, sources, async (made) => {
    progress(`builds ${name} (go build ${packagePath})`)
    // Without -trimpath: the interop server finds its certificates by the paths compiled in.
    const args = ['build', '-buildvcs=false', '-o', join(made, name), source]
    await outputOf({ file: go, args, cwd: module }, BUILD_MS)
  })
  return join(folder, name)
}

/** The version that go.mod pins for a module. */
export async function goVersion(module: string): Promise<string> {
  const go = requireOnPath('go', INSTALL)
  const args = ['list', '-m', '-f', '{{.Version}}', module]
  return (await outputOf({ file: go, args, cwd: MODULE }, BUILD_MS)).trim()
}
