// Proxies that take gRPC from a client and hand it to a server, both in clear text, with as little
// configuration as each needs.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../process/child.ts'
import { debianTool, debianVersion } from './debian.ts'
import { ENVOY_VERSION, envoyBinary } from './envoy.ts'

/** What a proxy is to do. */
export interface ProxyRoute {
  /** Where it listens, at 127.0.0.1. */
  readonly port: number
  /** Where the server is, at 127.0.0.1. */
  readonly serverPort: number
  /** It ends a client's connection with GOAWAY after so many requests. */
  readonly requestsAConnection?: number
}

/** A proxy. */
export interface GrpcProxy {
  readonly name: string
  readonly version: () => Promise<string>
  /** Whether `requestsAConnection` can be had of it. */
  readonly endsConnections: boolean
  /**
   * Whether it reads the client's credit for responses while requests wait in it. HAProxy 2.6 reads
   * nothing more of a connection once a stream has filled its buffer; so a call that is large in both
   * directions at once blocks itself for good, with grpc-js at both ends as well.
   */
  readonly isFullDuplex: boolean
  /** How it is started. `folder` is its own; it is empty. */
  readonly command: (
    route: ProxyRoute,
    folder: string,
    progress: (line: string) => void,
  ) => Promise<Command>
}

const nginx: GrpcProxy = {
  name: 'nginx',
  version: () => debianVersion('nginx'),
  endsConnections: true,
  isFullDuplex: true,
  async command(route, folder, progress) {
    const config = fileIn(folder, 'nginx.conf', nginxConfig(route))
    const args = ['-p', folder, '-c', config, '-e', 'stderr']
    return { ...(await debianTool('nginx', progress)), args }
  },
}

function nginxConfig({ port, serverPort, requestsAConnection = 1_000_000 }: ProxyRoute): string {
  return `${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream server {
    server 127.0.0.1:${serverPort};
    keepalive 8;
  }
  server {
    listen 127.0.0.1:${port} http2;
    client_max_body_size 0;
    keepalive_requests ${requestsAConnection};
    location / {
      grpc_pass grpc://server;
    }
  }
}
`
}

const nghttpx: GrpcProxy = {
  name: 'nghttpx',
  version: () => debianVersion('nghttpx'),
  endsConnections: false,
  isFullDuplex: true,
  async command({ port, serverPort }, folder, progress) {
    const config = `--conf=${fileIn(folder, 'nghttpx.conf', '')}`
    const ports = [`-f127.0.0.1,${port};no-tls`, `-b127.0.0.1,${serverPort};;proto=h2`]
    return { ...(await debianTool('nghttpx', progress)), args: [config, '-n1', ...ports] }
  },
}

const haproxy: GrpcProxy = {
  name: 'HAProxy',
  version: () => debianVersion('haproxy'),
  endsConnections: false,
  isFullDuplex: false,
  async command(route, folder, progress) {
    const config = fileIn(folder, 'haproxy.cfg', haproxyConfig(route))
    return { ...(await debianTool('haproxy', progress)), args: ['-db', '-f', config] }
  },
}

function haproxyConfig({ port, serverPort }: ProxyRoute): string {
  return `defaults
  mode http
  timeout connect 1s
  timeout client 1m
  timeout server 1m
  retries 1
frontend clients
  bind 127.0.0.1:${port} proto h2
  default_backend servers
backend servers
  server server 127.0.0.1:${serverPort} proto h2
`
}

const envoy: GrpcProxy = {
  name: 'Envoy',
  version: async () => ENVOY_VERSION,
  endsConnections: true,
  isFullDuplex: true,
  async command(route, folder, progress) {
    const config = fileIn(folder, 'envoy.json', JSON.stringify(envoyConfig(route), undefined, 2))
    const flags = ['--concurrency', '1', '--use-dynamic-base-id', '--log-level', 'warning']
    return { file: await envoyBinary(progress), args: ['-c', config, ...flags] }
  },
}

function envoyConfig({ port, serverPort, requestsAConnection }: ProxyRoute): object {
  const manager = {
    '@type': envoyType('filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'clients',
    codec_type: 'HTTP2',
    drain_timeout: '0.1s', // between its two GOAWAYs
    ...(requestsAConnection === undefined
      ? {}
      : { common_http_protocol_options: { max_requests_per_connection: requestsAConnection } }),
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, route: { cluster: 'server', timeout: '0s' } }],
        },
      ],
    },
    http_filters: [
      {
        name: 'router',
        typed_config: { '@type': envoyType('filters.http.router.v3.Router') },
      },
    ],
  }
  const cluster = {
    name: 'server',
    type: 'STATIC',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': envoyType('upstreams.http.v3.HttpProtocolOptions'),
        // It fills a new connection before it has read how many streams the server takes, and
        // makes UNAVAILABLE of those that are refused.
        explicit_http_config: { http2_protocol_options: { max_concurrent_streams: 100 } },
      },
    },
    load_assignment: {
      cluster_name: 'server',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: envoyAddress(serverPort) } }] }],
    },
  }
  const listener = {
    address: envoyAddress(port),
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  }
  return { static_resources: { listeners: [listener], clusters: [cluster] } }
}

function envoyType(name: string): string {
  return `type.googleapis.com/envoy.extensions.${name}`
}

function envoyAddress(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } }
}

/** All of them. */
export const PROXIES: readonly GrpcProxy[] = [nginx, nghttpx, haproxy, envoy]

function fileIn(folder: string, name: string, text: string): string {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}
