/** nginx with ETag polling, and with server-sent events by nchan: what most fleets run today. */

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { type ClientRequest, get, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Lab, ORIGIN_ADDRESS, Program } from './lab.ts'
import { program } from './program.ts'
import { nowMs, type Running, readyOf, SEQ_DIGITS, type System, shares, until } from './system.ts'
import type { Role } from './worker.ts'

const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so'
const PORT = 8080
const POLL_MS = 1_000
const SETTLE_MS = 60_000

const configuration = (dir: string): string => `
user root; worker_processes 1; error_log ${dir}/error.log; pid ${dir}/nginx.pid;
${existsSync(NCHAN) ? `load_module ${NCHAN};` : ''}
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000; client_max_body_size 64m;
  client_body_buffer_size 64m; client_body_temp_path ${dir}; root ${dir};
  ${existsSync(NCHAN) ? 'nchan_shared_memory_size 512m;' : ''}
  server { listen ${ORIGIN_ADDRESS}:${PORT};
    location /payload { }
    ${
      existsSync(NCHAN)
        ? `location /pub { nchan_publisher; nchan_channel_id c; nchan_message_buffer_length 2; }
    location /sub { nchan_subscriber eventsource; nchan_channel_id c; }`
        : ''
    }
  }
}`

async function nginx(lab: Lab): Promise<void> {
  writeFileSync(join(lab.dir, 'nginx.conf'), configuration(lab.dir))
  writeFileSync(join(lab.dir, 'payload'), '0'.repeat(SEQ_DIGITS))
  lab.spawn('origin', ['nginx', '-p', lab.dir, '-c', join(lab.dir, 'nginx.conf'), '-g', 'daemon off;'])
  await until('nginx runs', SETTLE_MS, () => existsSync(join(lab.dir, 'nginx.pid')) || undefined)
}

async function subscribed(lab: Lab, role: string, subscribers: number): Promise<readonly Program[]> {
  const fleet = shares(subscribers).map((count) => new Program(lab, 'fleet', 'nginx', role, { count }))
  await until('all are connected', SETTLE_MS, () =>
    fleet.reduce((sum, { said }) => sum + readyOf(said), 0) === subscribers ? true : undefined,
  )
  return fleet
}

export const nginxPoll: System = {
  name: 'nginx, polling',
  about: `one nginx worker, a static file; each subscriber asks with If-None-Match every ${POLL_MS} ms over one kept connection`,
  missing: () => program('nginx', 'nginx'),
  async start(lab, subscribers): Promise<Running> {
    await nginx(lab)
    const fleet = await subscribed(lab, 'pollers', subscribers)
    return {
      publish: async (_seq, path) => renameSync(path, join(lab.dir, 'payload')),
      said: () => fleet.flatMap(({ said }) => said),
    }
  },
}

export const nginxSse: System = {
  name: 'nginx, server-sent events',
  about: 'one nginx worker with nchan; each subscriber keeps one event stream open',
  missing: () =>
    program('nginx', 'nginx') ??
    (existsSync(NCHAN) ? undefined : "no nchan here (Debian's libnginx-mod-nchan)"),
  async start(lab, subscribers): Promise<Running> {
    await nginx(lab)
    const fleet = await subscribed(lab, 'listeners', subscribers)
    const origin = new Program(lab, 'origin', 'nginx', 'publisher', {})
    return {
      publish: async (_seq, path) => origin.tell({ path }),
      said: () => fleet.flatMap(({ said }) => said),
    }
  },
}

export const publisher: Role = async (_options, { commands }) => {
  for await (const command of commands) {
    const { path } = JSON.parse(command) as { path: string }
    const post = request({ host: ORIGIN_ADDRESS, port: PORT, path: '/pub', method: 'POST' })
    post.on('response', (response) => response.resume())
    post.end(readFileSync(path))
  }
}

export const pollers: Role = async ({ count }, { say }) => {
  const { Agent } = await import('node:http')
  let ready = 0
  const poll = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    let etag = ''
    await delay(Math.random() * POLL_MS)
    for (;;) {
      const { body, tag } = await ask(agent, etag)
      if (etag === '') say({ ready: ++ready })
      else if (body !== undefined) say({ got: Number(body.slice(0, SEQ_DIGITS)), atMs: nowMs() })
      etag = tag
      await delay(POLL_MS)
    }
  }
  await Promise.all(Array.from({ length: Number(count) }, poll))
}

function ask(agent: import('node:http').Agent, etag: string): Promise<{ body?: string; tag: string }> {
  const headers = etag === '' ? {} : { 'if-none-match': etag }
  return new Promise((resolve, reject) => {
    get({ host: ORIGIN_ADDRESS, port: PORT, path: '/payload', agent, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        response.statusCode === 304
          ? resolve({ tag: etag })
          : resolve({ body: Buffer.concat(chunks).toString('latin1'), tag: response.headers.etag ?? '' }),
      )
    }).on('error', reject)
  })
}

export const listeners: Role = async ({ count }, { say }) => {
  let ready = 0
  const listen = (): ClientRequest =>
    get(
      {
        host: ORIGIN_ADDRESS,
        port: PORT,
        path: '/sub',
        agent: false,
        headers: { accept: 'text/event-stream' },
      },
      (response) => {
        say({ ready: ++ready })
        let event: Buffer[] = []
        response.on('data', (chunk: Buffer) => {
          event.push(chunk)
          if (chunk.at(-1) !== 10 || !Buffer.concat(event.slice(-2)).toString('latin1').endsWith('\n\n'))
            return
          const text = Buffer.concat(event).toString('latin1')
          const data = text.indexOf('data: ')
          event = []
          if (data >= 0) say({ got: Number(text.slice(data + 6, data + 6 + SEQ_DIGITS)), atMs: nowMs() })
        })
      },
    )
  for (let at = 0; at < Number(count); at++) listen()
  await new Promise(() => undefined)
}
