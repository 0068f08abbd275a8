// TLS for HTTP/2: our options as Node's, the ALPN rule, and what a finished handshake says about
// the peer. Opens no socket. RFC 9113 3.2, 9.2.
import { constants } from 'node:crypto'
import {
  createSecureContext,
  type ConnectionOptions as NodeClientOptions,
  type PeerCertificate as NodePeerCertificate,
  type TlsOptions as NodeServerOptions,
  checkServerIdentity as nodeCheckServerIdentity,
  type SecureContext,
  type SecureVersion,
  type TLSSocket,
} from 'node:tls'
import { ipVersion } from '../../base/ip-address.ts'
import { TransportUsageError } from '../errors.ts'
import type { PeerCertificate, PeerTls } from './wire.ts'

export type { SecureContext } from 'node:tls'

/** PEM text or octets; several are tried or trusted together. */
export type Pem = string | Buffer | readonly (string | Buffer)[]

/** Keys, certificates and versions; the same for both roles. */
export interface TlsIdentity {
  /** The trusted roots. Default: those that Node brings along. */
  readonly ca?: Pem
  /** Our certificate, followed by its intermediates. */
  readonly cert?: Pem
  readonly key?: Pem
  /** Certificate and key in one PKCS #12 archive, instead of `cert` and `key`. */
  readonly pfx?: string | Buffer
  /** Opens `key` or `pfx`. */
  readonly passphrase?: string
  /** Default TLSv1.2, the least that HTTP/2 allows. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** OpenSSL cipher list. Default: only what RFC 9113 9.2.2 does not prohibit. */
  readonly ciphers?: string
}

/** How a client does TLS. */
export interface ClientTlsOptions extends TlsIdentity {
  /** Made by {@link secureContext}; takes the place of the whole {@link TlsIdentity}. */
  readonly secureContext?: SecureContext
  /** Sent as SNI and looked for in the server's certificate. Default: the host connected to. */
  readonly serverName?: string
  /** False accepts any certificate: for tests only. Default true. */
  readonly rejectUnauthorized?: boolean
  /**
   * Takes the place of the check of the server's name. Refuses the server by returning or throwing
   * an error. Not called for a certificate that no trusted root vouches for.
   */
  readonly checkServerIdentity?: (
    serverName: string,
    certificate: PeerCertificate,
  ) => Error | undefined
}

/** How a server does TLS. */
export interface ServerTlsOptions extends TlsIdentity {
  /** Asks the client for a certificate. Default false. */
  readonly requestClientCert?: boolean
  /** Refuses a client without a certificate that `ca` vouches for. Default: `requestClientCert`. */
  readonly rejectUnauthorized?: boolean
  /**
   * Chooses the context by the name that the client asks for, in lower case; undefined means the
   * default one. A throw or rejection refuses the client.
   */
  readonly secureContextFor?: (
    serverName: string,
  ) => SecureContext | undefined | Promise<SecureContext | undefined>
}

/** The peer did not agree on HTTP/2. RFC 9113 3.2: TLS uses ALPN with "h2". */
export class AlpnError extends Error {
  public readonly token = 'alpn_not_h2'

  public constructor(got: string | false | null) {
    super(`alpn_not_h2: the peer chose ${got || 'no protocol'}, want h2`)
    this.name = 'AlpnError'
  }
}

// RFC 9113 9.2.2 prohibits, for TLS 1.2, everything without an ephemeral key exchange and an AEAD.
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** Prepared keys and certificates, for many connections or for `secureContextFor`. */
export function secureContext(identity: TlsIdentity): SecureContext {
  try {
    return createSecureContext(nodeIdentity(identity))
  } catch (error) {
    throw new TransportUsageError('tls_identity_invalid', `TLS identity: ${textOf(error)}`)
  }
}

/** Node's options for a client that connects to `host`; throws for keys that cannot be used. */
export function clientTlsOptions(options: ClientTlsOptions, host: string): NodeClientOptions {
  const name = options.serverName ?? host
  return {
    secureContext: options.secureContext ?? secureContext(options),
    rejectUnauthorized: options.rejectUnauthorized ?? true,
    ALPNProtocols: ['h2'],
    // RFC 6066 3: literal addresses are not permitted in SNI.
    ...(ipVersion(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_, certificate) => checkIdentity(options, name, certificate),
  }
}

/** Node's options for a server; throws for keys that cannot be used. `offersHttp1`: as it says. */
export function serverTlsOptions(
  options: ServerTlsOptions,
  offersHttp1: boolean,
): NodeServerOptions {
  const requestCert = options.requestClientCert ?? false
  secureContext(options)
  return {
    ...nodeIdentity(options),
    requestCert,
    rejectUnauthorized: options.rejectUnauthorized ?? requestCert,
    ALPNProtocols: offersHttp1 ? ['h2', 'http/1.1'] : ['h2'],
    ...sniCallback(options.secureContextFor),
  }
}

/** The facts of a finished handshake. Only the certificate waits until it is asked for. */
export function describeTls(socket: TLSSocket): PeerTls {
  return new SocketTls(socket)
}

class SocketTls implements PeerTls {
  public readonly protocol: string
  public readonly cipher: string
  public readonly authorized: boolean
  public readonly serverName?: string
  private readonly socket: TLSSocket
  private known: PeerCertificate | undefined

  public constructor(socket: TLSSocket) {
    const serverName = (socket as { servername?: string | false | null }).servername
    this.socket = socket
    this.protocol = socket.getProtocol() ?? ''
    this.cipher = socket.getCipher()?.standardName ?? ''
    this.authorized = socket.authorized
    if (typeof serverName === 'string') this.serverName = serverName
  }

  // Known only while the socket lives, unless it was asked for before.
  public get certificate(): PeerCertificate {
    this.known ??= certificateOf(this.socket.getPeerCertificate())
    return this.known as PeerCertificate
  }
}

function certificateOf(certificate: NodePeerCertificate | null): PeerCertificate | undefined {
  // Node says `{}` for a peer that sent none.
  if (certificate?.raw === undefined) return undefined
  return {
    subject: { ...certificate.subject } as PeerCertificate['subject'],
    issuer: { ...certificate.issuer } as PeerCertificate['issuer'],
    ...(certificate.subjectaltname ? { subjectAltName: certificate.subjectaltname } : {}),
    fingerprint256: certificate.fingerprint256,
    serialNumber: certificate.serialNumber,
    validFrom: certificate.valid_from,
    validTo: certificate.valid_to,
    raw: certificate.raw,
  }
}

/** Node calls it from inside the handshake, where a throw would take the process down. */
function checkIdentity(
  options: ClientTlsOptions,
  name: string,
  certificate: NodePeerCertificate,
): Error | undefined {
  if (options.checkServerIdentity === undefined) return nodeCheckServerIdentity(name, certificate)
  try {
    return options.checkServerIdentity(name, certificateOf(certificate)!)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function sniCallback(
  choose: ServerTlsOptions['secureContextFor'],
): Pick<NodeServerOptions, 'SNICallback'> {
  if (choose === undefined) return {}
  return {
    SNICallback: (serverName, done) => {
      // The async function turns a throw into a rejection.
      const chosen = (async () => choose(serverName.toLowerCase()))()
      chosen.then(
        (context) => done(null, context),
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
      )
    },
  }
}

function nodeIdentity(identity: TlsIdentity): Parameters<typeof createSecureContext>[0] {
  const { ca, cert, key, pfx, passphrase, minVersion = 'TLSv1.2', ciphers = CIPHERS } = identity
  return {
    minVersion: minVersion as SecureVersion,
    ciphers,
    // RFC 9113 9.2.1: renegotiation MUST be treated as an error.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ...(ca === undefined ? {} : { ca: ca as string }),
    ...(cert === undefined ? {} : { cert: cert as string }),
    ...(key === undefined ? {} : { key: key as string }),
    ...(pfx === undefined ? {} : { pfx }),
    ...(passphrase === undefined ? {} : { passphrase }),
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
