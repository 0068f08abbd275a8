import * as zlib from 'node:zlib'
import { brotliCompressSync, deflateRawSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { Code } from '../../../lib/base/status.ts'
import {
  acceptsEncoding,
  brotliCompressor,
  type Compressor,
  Compressors,
  CompressorUnavailable,
  compressMessage,
  decompressMessage,
  deflateCompressor,
  gzipCompressor,
  unknownEncoding,
  zstdCompressor,
} from '../../../lib/grpc/protocol/compression.ts'
import { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'

const hasZstd = 'zstdCompress' in zlib
const ALL = [
  ...[gzipCompressor, deflateCompressor, brotliCompressor],
  ...(hasZstd ? [zstdCompressor()] : []),
]
const MiB = 1024 * 1024

function compress(compressor: Compressor, bytes: Buffer): Buffer | Promise<Buffer> {
  const result = compressMessage(compressor, bytes)
  if (result === undefined) throw new Error('not compressed')
  return result
}

async function outcome(compressor: Compressor | undefined, bytes: Buffer, maxBytes = 4 * MiB) {
  try {
    return await decompressMessage(compressor, bytes, 0, bytes.length, false, maxBytes)
  } catch (thrown) {
    return thrown as RpcError
  }
}

t.test('gives messages of any size back', async (t) => {
  for (const compressor of ALL) {
    for (const size of [1, 100, 8192, 8193, 200_000, 3 * MiB]) {
      const bytes = Buffer.from(Array.from({ length: size }, (_, i) => (i * i) >> 7))
      const compressed = await compress(compressor, bytes)
      t.equal(Buffer.compare(bytes, (await outcome(compressor, compressed)) as Buffer), 0)
    }
  }
})

t.test('small messages do not wait for a thread', async (t) => {
  for (const compressor of ALL) {
    const compressed = compress(compressor, Buffer.from('x'.repeat(8000)))
    t.ok(Buffer.isBuffer(compressed), compressor.name)
    const bytes = await compressed
    t.ok(Buffer.isBuffer(decompressMessage(compressor, bytes, 0, bytes.length, true, MiB)))
  }
})

t.test('leaves empty and short messages alone', async (t) => {
  t.equal(compressMessage(gzipCompressor, Buffer.alloc(0)), undefined)
  t.equal(compressMessage(gzipCompressor, Buffer.alloc(0), 0), undefined)
  t.equal(compressMessage(gzipCompressor, Buffer.alloc(9), 10), undefined)
  t.ok(Buffer.isBuffer(compressMessage(gzipCompressor, Buffer.alloc(10), 10)))
})

t.test('the limit is exact', async (t) => {
  for (const compressor of ALL) {
    for (const size of [1, 1000, 200_000]) {
      const compressed = await compress(compressor, Buffer.alloc(size, 7))
      t.equal(((await outcome(compressor, compressed, size)) as Buffer).length, size)
      t.match(await outcome(compressor, compressed, size - 1), {
        code: Code.ResourceExhausted,
        rawMessage: new RegExp(`more than ${size - 1}`),
        token: 'message_too_large_decompressed',
      })
    }
  }
})

t.test('a bomb is defused at the limit', async (t) => {
  const bomb = gzipSync(Buffer.alloc(256 * MiB), { level: 9 })
  const nested = gzipSync(bomb)
  const before = process.memoryUsage().rss
  t.match(await outcome(gzipCompressor, bomb), { code: Code.ResourceExhausted })
  t.ok(process.memoryUsage().rss - before < 32 * MiB)
  t.equal(((await outcome(gzipCompressor, nested)) as Buffer).length, bomb.length)
})

t.test('reads several gzip members as one message', async (t) => {
  const members = Buffer.concat([gzipSync('one '), gzipSync('two')])
  t.equal(String(await outcome(gzipCompressor, members)), 'one two')
})

t.test('refuses what is not exactly one message', async (t) => {
  const big = Buffer.from(Array.from({ length: 300_000 }, (_, i) => Math.imul(i, 2654435761) >> 11))
  for (const compressor of ALL) {
    const small = await compress(compressor, Buffer.from('hello'))
    const large = await compress(compressor, big)
    const table: [what: string, bytes: Buffer][] = [
      ['nothing', Buffer.alloc(0)],
      ['garbage', Buffer.from('garbage')],
      ['truncated', small.subarray(0, -1)],
      ['trailing octets', Buffer.concat([small, Buffer.from('xyz')])],
      ['truncated, large', large.subarray(0, -1)],
      ['trailing octets, large', Buffer.concat([large, Buffer.from('xyz')])],
    ]
    for (const [what, bytes] of table) {
      t.match(
        await outcome(compressor, bytes),
        { code: Code.Internal, token: 'message_decompress_failed' },
        `${compressor.name}: ${what}`,
      )
    }
  }
  t.match(await outcome(deflateCompressor, deflateRawSync('raw')), { code: Code.Internal })
  t.match(await outcome(gzipCompressor, brotliCompressSync('other')), { code: Code.Internal })
})

t.test('survives random octets', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...ALL), fc.uint8Array(), async (compressor, octets) => {
      const result = await outcome(compressor, Buffer.from(octets), 1000)
      return Buffer.isBuffer(result) || (result instanceof RpcError && result.code !== Code.Unknown)
    }),
    { numRuns: 500 },
  )
  t.pass()
})

t.test('a borrowed message is copied before the thread reads it', async (t) => {
  const bytes = Buffer.from(
    Array.from({ length: 300_000 }, (_, i) => Math.imul(i, 2654435761) >> 11),
  )
  const compressed = Buffer.from(await compress(gzipCompressor, bytes))
  const result = decompressMessage(gzipCompressor, compressed, 0, compressed.length, false, MiB)
  compressed.fill(0)
  t.equal(Buffer.compare(await result, bytes), 0)
})

t.test('the flag without a named encoding is a fault', async (t) => {
  t.match(await outcome(undefined, Buffer.from('x')), {
    code: Code.Internal,
    token: 'message_compressed_identity',
  })
})

t.test('negotiates by name', async (t) => {
  const compressors = new Compressors()
  t.equal(compressors.acceptEncoding, 'identity,gzip,deflate,br')
  t.equal(compressors.get('gzip'), gzipCompressor)
  t.equal(compressors.get('identity'), undefined)
  t.ok(compressors.knows('identity'))
  t.ok(compressors.knows('br'))
  for (const name of ['snappy', '', 'GZIP', '__proto__', 'constructor']) {
    t.notOk(compressors.knows(name), name)
  }
  t.equal(new Compressors([]).acceptEncoding, 'identity')
  t.ok(acceptsEncoding('identity, gzip ,br', 'gzip'))
  t.ok(acceptsEncoding('', 'identity'))
  t.notOk(acceptsEncoding('', 'gzip'))
  t.notOk(acceptsEncoding('gzipped', 'gzip'))
  t.equal(unknownEncoding('snappy', 'server').code, Code.Unimplemented)
  t.equal(unknownEncoding('snappy', 'client').code, Code.Internal)
})

t.test('wraps what a foreign compressor throws', async (t) => {
  const broken: Compressor = {
    name: 'broken',
    compress: () => {
      throw new Error('no')
    },
    decompress: () => Promise.reject('no'),
  }
  t.throws(() => compressMessage(broken, Buffer.from('x')), {
    code: Code.Internal,
    token: 'message_compress_failed',
  })
  t.match(await outcome(broken, Buffer.from('x')), { code: Code.Internal, rawMessage: /no$/ })
})

t.test('zstd is there where Node has it, and says what it needs elsewhere', async (t) => {
  if (hasZstd) t.equal(zstdCompressor().name, 'zstd')
  else t.throws(zstdCompressor, CompressorUnavailable)
  t.match(new CompressorUnavailable('zstd', '22.15'), {
    message: `compressor_unavailable: zstd needs Node 22.15; this is ${process.version}`,
  })
})
