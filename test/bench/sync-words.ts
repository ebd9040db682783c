/** The words that technical English has most of, the frequent ones first. */
const common =
  `the of to and a in is for that with on as are be this it by from or an can not which have you at if will
has when all your its more one use used data was also may we but each other these they new using set only than into file
value name type example time system server user number key first following there any database request table same
different two where such how code case service between default result must they list application query change version
process then page called index field run message read row access some order number point error object group level
default configuration available command information available update create document function support required node
control option section method path available source text state work image model client schema column connection
operation project client tool test return string memory performance storage security network cluster release feature
problem resource event deployment transaction replication policy latency throughput consistency partition backup
recovery monitoring container instance region gateway protocol certificate encryption permission account pipeline
schedule workflow template component interface library package dependency branch commit merge review build integration
environment variable parameter argument expression statement condition loop array integer boolean date timestamp
interval sequence constraint trigger view cursor buffer cache queue topic subscription consumer producer offset retry
timeout threshold limit quota budget cost invoice customer order product catalog price stock supplier shipment warehouse
garden river mountain weather summer winter history language music painting theatre journey village harbour bridge
before after while because however although therefore usually often never always sometimes quickly slowly carefully
small large simple complex single multiple fast slow early late common rare local remote public private internal external
write open close start stop send receive move copy delete insert select compare measure describe explain consider allow
prevent require provide include contain define declare implement extend reduce increase improve depend expect happen
remain become follow support apply check ensure avoid choose decide discover notice remember understand`.split(
    /\s+/,
  );

const stems =
  `act adapt align alloc anim arch assem attach balanc band barrel batch beacon bind block bond boot border
brok bundl calib carr cast chain chart cipher clust coll comb compil compress concept conduct confirm connect constr consul
contract convert correl craft crypt curv cycl decod deriv detect diffus digest direct distrib domin dram durab elast elect
embed emul encod engin equal estim evolv exact exchang explor export extract fabric factor filter flex flow fold form
fract fram fus generat glob grad graph grid harmon hash hook illumin impact import indent infer inject inspect install
instruct integr interact invert isol iter join junct kern label lattic layer lever lign link liter locat lock logist magnet
manag mapp mark mater maxim mediat merg metr migrat minim mirror modul monit mount mutat navig norm notif observ
optim orbit orchestr orient origin pack parall pars particip patch pattern persist phas pivot plan plot polic port posit
predict prefer preserv prob profil project promot propag prun quer rank ration react recogn record refer reflect regul
render repair repeat replic report resolv respond restor retain revers rotat rout sampl scal scan script seal
segment sequenc serial shard signal simul slic sort spark spec spher split stabil stack standard stat stor stream struct
subscrib suggest surfac symbol sync tact tempor tension term thread throttl token trac transform transit transl
trend tun unit util valid vari vector verif vers virtual visual volum weight wir yield zon`.split(/\s+/);

const prefixes = ['', 're', 'un', 'pre', 'inter', 'sub'];
const suffixes = ['ing', 'ed', 'er', 'ion', 'able', 'ity', 'ment', 'al', 'ive', 'ize', 'ful', 'ist'];

/** All of them, by rank: those that are made of parts come after the common ones. */
const vocabulary = [
  ...new Set([
    ...common,
    ...prefixes.flatMap((prefix, at) =>
      suffixes.flatMap((suffix, index) =>
        // So that words of the same stem aren't neighbours.
        stems.map((_, number) => prefix + stems[(number * 31 + index * 7 + at) % stems.length] + suffix),
      ),
    ),
  ]),
];

/** Texts have so many places for words; a word has as many of them as its rank gives it (Zipf's law, after Mandelbrot). */
const places = wordsByFrequency(1 << 18);

function wordsByFrequency(count: number): readonly string[] {
  const weights = vocabulary.map((_, rank) => 1 / (rank + 2.7));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const words: string[] = [];
  let share = 0;
  for (const [rank, word] of vocabulary.entries()) {
    share += (weights[rank] ?? 0) / total;
    while (words.length < share * count) words.push(word);
  }
  return words;
}

/** Text that reads like English from afar: always the same of the same seed. */
export class Prose {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds must not begin alike.
    this.#state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  }

  /** From 0 to below 1. */
  random(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) / 2 ** 32;
  }

  /** From 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.random() * end);
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0];
  }

  words(count: number): string {
    let text = this.#word();
    for (let more = 1; more < count; more += 1) text += ` ${this.#word()}`;
    return text;
  }

  /** Of some words, with a capital at its beginning. */
  title(): string {
    return capitalized(this.words(3 + this.below(5)));
  }

  sentence(): string {
    const first = this.words(4 + this.below(9));
    const rest = this.random() < 0.6 ? `, ${this.words(3 + this.below(10))}` : '';
    return `${capitalized(first)}${rest}.`;
  }

  paragraph(): string {
    return Array.from({ length: 3 + this.below(5) }, () => this.sentence()).join(' ');
  }

  #word(): string {
    return places[this.below(places.length)] ?? '';
  }
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
