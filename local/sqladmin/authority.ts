// tsyringe, which @peculiar/x509 is built on, needs it first.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const { subtle } = globalThis.crypto;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const hour = 3_600_000;

export interface KeyAndCertificate {
  /** PEM, PKCS #8. */
  readonly key: string;
  /** PEM. */
  readonly cert: string;
}

/** A certificate authority that lives in memory. */
export interface CertificateAuthority {
  /** Its own certificate, PEM. */
  readonly cert: string;
  readonly expires: Date;
  /** A new key and a certificate for a server, whose `hosts` are names or IP addresses. */
  issueServer(commonName: string, hosts: readonly string[]): Promise<KeyAndCertificate>;
  /** A certificate for the holder of a public key (PEM, SPKI), for an hour. */
  issueClient(publicKey: string, subject: ClientSubject): Promise<string>;
}

export interface ClientSubject {
  readonly commonName: string;
  readonly unit: string;
}

export async function createCertificateAuthority(name: string): Promise<CertificateAuthority> {
  const keys = await subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const expires = new Date(Date.now() + 365 * 24 * hour);
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...lifetime(expires),
    name: [{ CN: [name] }],
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const sign = async (subject: x509.JsonName, publicKey: x509.PublicKeyType, extensions: x509.Extension[]) =>
    x509.X509CertificateGenerator.create({
      ...lifetime(new Date(Date.now() + hour)),
      subject,
      issuer: authority.subject,
      publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      extensions,
    });

  return {
    cert: authority.toString('pem'),
    expires,
    async issueServer(commonName, hosts) {
      const own = await subtle.generateKey(algorithm, true, ['sign', 'verify']);
      const names = hosts.map(
        (host) => ({ type: /^[\d.]+$/.test(host) ? 'ip' : 'dns', value: host }) as const,
      );
      const cert = await sign([{ CN: [commonName] }], own.publicKey, [
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      ]);
      const key = await subtle.exportKey('pkcs8', own.privateKey);
      return { key: x509.PemConverter.encode(key, 'PRIVATE KEY'), cert: cert.toString('pem') };
    },
    async issueClient(publicKey, { commonName, unit }) {
      const cert = await sign([{ OU: [unit] }, { CN: [commonName] }], new x509.PublicKey(publicKey), [
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      ]);
      return cert.toString('pem');
    },
  };
}

function lifetime(notAfter: Date) {
  return {
    serialNumber: randomBytes(15).toString('hex'),
    // Clocks of two machines differ, and so do two roundings of one.
    notBefore: new Date(Date.now() - 60_000),
    notAfter,
  };
}
