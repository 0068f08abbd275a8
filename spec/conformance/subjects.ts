// What can stand under test: framewright, and the stacks that it is compared with.
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { debianTool } from './peers/debian.ts'
import { type GoTool, goTool } from './peers/go.ts'
import type { Command } from './process/child.ts'
import type { ClientProgram, ServerProgram, Subject } from './suite.ts'

const certs = 'spec/support/certs'

/** A script of this project, by its path from this file. */
function script(path: string, ...args: string[]): Command {
  return { file: execPath, args: [fileURLToPath(new URL(path, import.meta.url)), ...args] }
}

/** A server script with the flags of programs/server-flags.ts. */
function serverScript(path: string): ServerProgram {
  return {
    command: async ({ port, tls, traceFile }) =>
      script(path, '--port', String(port), ...(tls ? ['--tls'] : []), '--trace', traceFile),
  }
}

const node: Subject = {
  name: 'node:http2',
  roles: {
    h2Server: serverScript('./programs/node-http2-server.js'),
    h2Client: { command: async () => script('./programs/node-http2-client.js') },
  },
}

const nghttp2: Subject = {
  name: 'nghttp2',
  roles: {
    h2Server: {
      needsPort: true,
      command: async ({ port, tls }, progress) => ({
        ...(await debianTool('nghttpd', progress)),
        args: [
          ...['-a', '127.0.0.1', '-d', 'spec/conformance/www'],
          ...(tls
            ? [String(port), `${certs}/server.key`, `${certs}/server.pem`]
            : ['--no-tls', String(port)]),
        ],
      }),
    },
    h2Client: { command: (_, progress) => debianTool('nghttp', progress) },
  },
}

const grpcGoServer: ServerProgram = {
  needsPort: true,
  command: async ({ port, tls }, progress) => ({
    file: await goTool('interop-server', progress),
    args: ['-port', String(port), ...(tls ? ['-use_tls'] : [])],
  }),
}

const grpcGo: Subject = {
  name: 'grpc-go',
  roles: {
    h2Server: grpcGoServer,
    interopServer: grpcGoServer,
    interopClient: { command: async (_, progress) => goProgram('interop-client', progress) },
    connectServer: { command: async (_, progress) => goProgram('connect-grpc-server', progress) },
    connectClient: { command: async (_, progress) => goProgram('connect-grpc-client', progress) },
  },
}

async function goProgram(name: GoTool, progress: (line: string) => void): Promise<Command> {
  return { file: await goTool(name, progress), args: [] }
}

/** Ours. */
export const framewright: Subject = {
  name: 'framewright',
  roles: {
    codecs: 'here',
    h2Server: serverScript('./programs/h2-server.js'),
    h2Client: tracing('./programs/h2-client.js'),
    connectServer: tracing('./programs/connect-server.js'),
    connectClient: tracing('./programs/connect-client.js'),
    interopServer: {
      command: async ({ port, tls, traceFile }) =>
        script(
          '../interop-programs/server.js',
          `--port=${port}`,
          `--use_tls=${tls}`,
          `--trace=${traceFile}`,
        ),
    },
    interopClient: tracing('../interop-programs/client.js'),
    callsServer: serverScript('./programs/calls-server.js'),
    callsClient: tracing('./programs/calls-client.js'),
    negativeClient: tracing('./programs/negative-client.js'),
  },
}

/** A script that takes `--trace FILE`. */
function tracing(path: string): ClientProgram {
  return { command: async (traceFile) => script(path, '--trace', traceFile) }
}

/** Ours first, then those it is compared with. */
export const SUBJECTS: readonly Subject[] = [framewright, grpcGo, node, nghttp2]
