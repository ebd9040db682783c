import { expect } from 'vitest';
import { nextStep, type Observed, type Step, type Trust } from '../../../shared/secrets/two-user.ts';

type Login = 'a' | 'b';

/** As `expect`, for what is asked a hundred thousand times. */
export function must(holds: unknown, what: string): void {
  if (!holds) expect.fail(`not so: ${what}`);
}

interface Version {
  readonly number: number;
  readonly login: Login;
  readonly password: string;
  readonly enabled: boolean;
  /** Whether its request arrived after whoever sent it was given up. */
  readonly late: boolean;
}

/** What the secret says of itself. */
interface Secret {
  readonly versions: readonly Version[];
  readonly current: number | undefined;
  readonly previous: number | undefined;
  readonly movedBy: string | undefined;
  readonly etag: number;
}

/** Secret Manager and PostgreSQL, as far as a rotation has to do with them. */
export class World {
  secret: Secret = { versions: [], current: undefined, previous: undefined, movedBy: undefined, etag: 0 };
  readonly passwords: Record<Login, string> = { a: 'none', b: 'none' };
  /** The marks on the logins. */
  readonly epochs: Record<Login, number> = { a: 0, b: 0 };
  /** Requests of attempts that nobody waits for any more. */
  readonly underWay: (() => void)[] = [];
  #epoch = 0;
  #passwords = 0;

  nextEpoch(): number {
    this.#epoch += 1;
    return this.#epoch;
  }

  newPassword(): string {
    this.#passwords += 1;
    return `p${this.#passwords}`;
  }

  works({ login, password }: Pick<Version, 'login' | 'password'>): boolean {
    return this.passwords[login] === password;
  }

  get enabled(): Version[] {
    return this.secret.versions.filter(({ enabled }) => enabled);
  }

  get current(): Version | undefined {
    return this.enabled.find(({ number }) => number === this.secret.current);
  }

  /** As Secret Manager has it: the one that was added last, which may be disabled. */
  get latest(): Version | undefined {
    return this.secret.versions.at(-1);
  }

  setPassword(login: Login, password: string, epoch: number): boolean {
    if (this.epochs[login] > epoch) return false;
    this.epochs[login] = epoch;
    this.passwords[login] = password;
    return true;
  }

  add(login: Login, password: string, late: boolean): Version {
    const number = this.secret.versions.length + 1;
    const version = { number, login, password, enabled: true, late };
    this.secret = { ...this.secret, versions: [...this.secret.versions, version] };
    return version;
  }

  disable(number: number): void {
    this.secret = { ...this.secret, versions: without(this.secret.versions, number) };
  }

  /** @returns whether nobody changed the secret meanwhile */
  move(rotation: string, version: number, etag: number): boolean {
    const { secret } = this;
    if (secret.etag !== etag) return false;
    const previous = secret.current ?? secret.previous;
    this.secret = { ...secret, current: version, previous, movedBy: rotation, etag: etag + 1 };
    return true;
  }

  /** What Drover's action retire does with what the last rotation replaced. */
  retire(): void {
    const { current } = this;
    if (current === undefined) return;
    const idle = current.login === 'a' ? 'b' : 'a';
    this.secret = { ...this.secret, previous: undefined, etag: this.secret.etag + 1 };
    for (const { login, number } of this.enabled) if (login === idle) this.disable(number);
    this.setPassword(idle, 'nobody knows', this.nextEpoch());
  }

  /** Somebody writes a label. */
  touch(): void {
    this.secret = { ...this.secret, etag: this.secret.etag + 1 };
  }
}

function without(versions: readonly Version[], number: number): Version[] {
  return versions.map((one) => (one.number === number ? { ...one, enabled: false } : one));
}

/** More steps than a rotation may ever take. */
const mostSteps = 25;

/** One attempt of a rotation: it knows what it saw at its beginning and what it did itself. */
export class Attempt {
  readonly rotation: string;
  readonly #world: World;
  readonly #epoch: number;
  readonly #trust = new Map<number, Trust>();
  #seen: Secret;
  #fresh: { readonly login: Login; readonly password: string; readonly state: 'set' | 'proven' } | undefined;
  #steps = 0;

  constructor(world: World, rotation: string) {
    this.#world = world;
    this.rotation = rotation;
    this.#epoch = world.nextEpoch();
    this.#seen = world.secret;
  }

  next(): Step {
    return nextStep(this.rotation, this.#observed());
  }

  /** @returns whether it goes on: it may be at its end, or refused */
  step(): boolean {
    const step = this.next();
    if (step.do === 'nothing') return false;
    this.#steps += 1;
    must(this.#steps < mostSteps, 'an attempt ends');
    return this.#take(step);
  }

  /**
   * The process is given up in the middle of a step. A request to Secret Manager arrives whenever it does; one to PostgreSQL
   * ends with its session.
   */
  sleep(): void {
    const step = this.next();
    if (step.do === 'set-password') return;
    this.#world.underWay.push(() => {
      this.#take(step, true);
    });
  }

  #observed(): Observed {
    const { versions, current, movedBy } = this.#seen;
    return {
      // A value is read when it is asked for: what was disabled meanwhile isn't among them.
      enabled: versions
        .filter(({ number, enabled }) => enabled && this.#world.secret.versions[number - 1]?.enabled)
        .map(({ number, login, password }) => ({ number, login, key: password })),
      latest: versions.length,
      current,
      movedBy,
      logins: ['a', 'b'],
      trust: this.#trust,
      fresh: this.#fresh?.state ?? 'none',
    };
  }

  #take(step: Step, late = false): boolean {
    const world = this.#world;
    switch (step.do) {
      case 'try-version':
        this.#trust.set(step.version, world.works(this.#version(step.version)) ? 'works' : 'broken');
        return true;
      case 'prove-version':
        this.#trust.set(step.version, 'proven');
        return world.works(this.#version(step.version));
      case 'disable-version':
        // Without being asked whether it is time for that.
        must(
          step.breaks || !world.works(this.#version(step.version)),
          'nobody is broken without being asked',
        );
        world.disable(step.version);
        this.#seen = { ...this.#seen, versions: without(this.#seen.versions, step.version) };
        return true;
      case 'set-password': {
        const fresh = { login: step.login as Login, password: world.newPassword(), state: 'set' as const };
        this.#fresh = fresh;
        return world.setPassword(fresh.login, fresh.password, this.#epoch);
      }
      case 'prove-login': {
        const { login, password } = this.#requireFresh();
        this.#fresh = { login, password, state: 'proven' };
        return world.works({ login, password });
      }
      case 'add-version': {
        const { login, password, state } = this.#requireFresh();
        must(login === step.login && state === 'proven', 'what is added was proven');
        this.#note(world.add(login, password, late));
        this.#fresh = undefined;
        return true;
      }
      case 'copy-current': {
        const { login, password } = this.#version(this.#seen.current ?? 0);
        this.#note(world.add(login, password, late));
        return true;
      }
      case 'move-aliases':
        must(this.#trust.get(step.version) === 'proven', 'what is published was proven');
        world.move(this.rotation, step.version, this.#seen.etag);
        // Whether it was moved or somebody else was faster: this is how it is.
        this.#seen = world.secret;
        return true;
      case 'nothing':
        return false;
    }
  }

  #note(version: Version): void {
    this.#trust.set(version.number, 'proven');
    this.#seen = { ...this.#seen, versions: [...this.#seen.versions.slice(0, version.number - 1), version] };
  }

  #version(number: number): Version {
    const version = this.#seen.versions.find((one) => one.number === number);
    if (version === undefined) throw new Error(`there is no version ${number}`);
    return version;
  }

  #requireFresh() {
    if (this.#fresh === undefined) throw new Error('no password was set');
    return this.#fresh;
  }
}
