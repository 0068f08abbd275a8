// The seam between a connection and whatever carries its octets: TCP, TLS, a Duplex, memory.
// A connection never schedules and never sees a socket; a wire never sees a frame.

/** The sending side as a connection sees it. */
export interface Wire {
  /**
   * Hands `bytes` over for sending, in order. True: the memory may be reused at once. False: it now
   * belongs to the wire and must not be touched again.
   */
  write(bytes: Buffer): boolean
  /** Several writes until {@link Wire.uncork} are sent as one. */
  cork(): void
  uncork(): void
  /** Octets handed over that the kernel has not taken. */
  readonly unsentBytes: number
  /**
   * Asks for one call of {@link WireEvents.flush}; idempotent until that call. `urgency` 'soon': when
   * the present turn's continuations have run. 'later': after the wire has had a chance to read.
   */
  requestFlush(urgency: 'soon' | 'later'): void
  /** Stops {@link WireEvents.receive} until {@link Wire.resumeReading}; closing is still noticed. */
  pauseReading(): void
  resumeReading(): void
  /**
   * Sends what was written, half-closes, discards what still arrives, and destroys the socket when
   * the peer closes or after `graceMs`, whichever is first; at once when it is 0.
   */
  close(graceMs: number): void
}

/** Where the memory of flushes comes from and goes to; an idle connection holds none. */
export interface Slabs {
  /** An *owned* buffer of {@link Slabs.slabBytes} octets with undefined content. */
  take(): Buffer
  give(slab: Buffer): void
  readonly slabBytes: number
}

/** What a wire tells its connection. Never called re-entrantly from a {@link Wire} method. */
export interface WireEvents {
  /** Octets arrived; `buf` is borrowed until the call returns. */
  receive(buf: Buffer, start: number, end: number): void
  /** The answer to {@link Wire.requestFlush}. */
  flush(): void
  /** All octets handed over have left; comes after `unsentBytes` was high. */
  writable(): void
  /** The peer will send no more. */
  ended(): void
  /** The wire is gone; the last event, exactly once. */
  closed(error?: Error): void
}

/** Who is at the other end of a wire. */
export interface Peer {
  /** `127.0.0.1:443`, `[::1]:443`, `unix:/path`, or a name that the embedder gave. */
  readonly address: string
  readonly localAddress: string
  /** What TLS has established; absent without TLS. */
  readonly tls?: PeerTls
}

/** The verified facts of a TLS session. */
export interface PeerTls {
  readonly protocol: string
  readonly cipher: string
  /** True when the peer's certificate was checked against the trusted roots and passed. */
  readonly authorized: boolean
  /** The peer's certificate as Node describes it; absent when it sent none. */
  readonly certificate?: PeerCertificate
  readonly serverName?: string
}

/** The part of a peer's certificate that says who it is. */
export interface PeerCertificate {
  readonly subject: Readonly<Record<string, string | readonly string[]>>
  readonly issuer: Readonly<Record<string, string | readonly string[]>>
  /** As in `DNS:localhost, IP Address:127.0.0.1`. */
  readonly subjectAltName?: string
  readonly fingerprint256: string
  readonly serialNumber: string
  readonly validFrom: string
  readonly validTo: string
  /** The certificate itself, DER. */
  readonly raw: Buffer
}
