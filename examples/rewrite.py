"""Rewriting words as pairs show it, with beam search: cry -> cried, or whatever a file has.

C. Kirov and R. Cotterell, "Recurrent Neural Networks in Linguistic Theory: Revisiting Pinker and
Prince (1988) and the Past Tense Debate", TACL 2018 (arXiv:1807.04783): an encoder and a decoder
with attention learn the past tense of English verbs, its rules and its exceptions. The network is
in attention.py. Beam search (I. Sutskever, O. Vinyals and Q. V. Le 2014, arXiv:1409.3215) is in
sequences.py: it keeps the likeliest beginnings of an answer, and not one alone.

Without a file the pairs are verbs of one syllable, most of which nobody has ever heard (glip,
scrake), put into the past tense by the rules of English spelling, and irregular verbs (sing, go) as
exceptions. Regular verbs are held out: to write them the rules have to be found. `--ask` shows how
sure the network is of them: is it splinged, or splang as in sing?

With a file, each line has a text, a tab, and what it becomes: another spelling, script or form.

    python examples/rewrite.py --ask spling --ask gleep
    python examples/rewrite.py pairs.tsv

What to expect: about a minute (AMD EPYC, 2 cores). All 500 regular verbs held out are right, with
a beam and without; always adding "ed" would be right for 60 %. Few of the irregular verbs are known
by heart (7 %), since each is met once an epoch, but they have left their mark:

    spling -> splinged 81.2%, splung 11.7%, splang 2.3%, spling 1.6%, splought 0.7%
"""

import re
from itertools import product
from pathlib import Path

from common import FILE, fix_seed, number_option, print_figures, read_lines

import click
import numpy as np
from attention import EncoderDecoder, check_even
from sequences import Symbols, search, share_exact, write_texts

Pairs = list[tuple[str, str]]

ONSETS = (
    "b bl br c cl cr d dr f fl fr g gl gr h j k l m n p pl pr r s sc scr sh sk sl sm sn sp spl"
    " spr st str sw t th tr tw v w wh z"
)
RHYMES = (
    "ab ace ack ade ag ail ain ake all am amp an ance and ank ap ape ar are ark art ash ast atch"
    " ate aw ay aze each ead eak eal eam ear eat eck eed eel eep elt em end ent ess est et ib ice"
    " ick ide ift ig ill im ime imp in ine ing ink int ip ipe ire ish isp it itch ize oad oan oat"
    " ob ock od og oke old oll olt omp one oom oot op ope ord ore ot out ove ow ox oy ub uck udge"
    " ug uff ull um ump un unt up urn ush uss ust ut uzz y"
)
IRREGULAR = """
    bear:bore beat:beat bend:bent bet:bet bid:bid bind:bound bite:bit bleed:bled blow:blew
    break:broke breed:bred bring:brought build:built burst:burst buy:bought cast:cast catch:caught
    choose:chose cling:clung come:came cost:cost creep:crept cut:cut deal:dealt dig:dug do:did
    draw:drew drink:drank drive:drove eat:ate fall:fell feed:fed feel:felt fight:fought find:found
    fling:flung fly:flew freeze:froze get:got give:gave go:went grind:ground grow:grew hang:hung
    have:had hear:heard hide:hid hit:hit hold:held hurt:hurt keep:kept kneel:knelt know:knew
    lay:laid lead:led leave:left lend:lent let:let lie:lay lose:lost make:made mean:meant meet:met
    pay:paid put:put quit:quit read:read ride:rode ring:rang rise:rose run:ran say:said see:saw
    seek:sought sell:sold send:sent set:set shake:shook shed:shed shine:shone shoot:shot
    shrink:shrank shut:shut sing:sang sink:sank sit:sat slay:slew sleep:slept slide:slid
    sling:slung slit:slit speak:spoke speed:sped spend:spent spin:spun spit:spat split:split
    spread:spread spring:sprang stand:stood steal:stole stick:stuck sting:stung stink:stank
    stride:strode strike:struck string:strung strive:strove swear:swore sweep:swept swim:swam
    swing:swung take:took teach:taught tear:tore tell:told think:thought throw:threw thrust:thrust
    tread:trod wake:woke wear:wore weave:wove weep:wept win:won wind:wound wring:wrung write:wrote
"""
EXCEPTIONS = [tuple(pair.split(":")) for pair in IRREGULAR.split()]
ONE_VOWEL = re.compile(r"[^aeiou]*[aeiou][^aeiouwxy]")


def past_tense(verb: str) -> str:
    """The past tense of a regular verb of one syllable, as English spells it."""
    if verb.endswith("e"):
        return verb + "d"  # bake, baked
    if verb[-1] == "y" and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"  # cry, cried
    return (
        verb + (verb[-1] if ONE_VOWEL.fullmatch(verb) else "") + "ed"
    )  # stop, stopped; cook, cooked


def regular_pairs() -> Pairs:
    """All verbs of `ONSETS` and `RHYMES` but the irregular ones, with their past tenses."""
    verbs = {onset + rhyme for onset, rhyme in product(ONSETS.split(), RHYMES.split())} - dict(
        EXCEPTIONS
    ).keys()
    return [(verb, past_tense(verb)) for verb in sorted(verbs)]


def read_pairs(path: Path) -> Pairs:
    """The pairs of a file; an error of one line where it is none of pairs."""
    lines = enumerate(read_lines(path), 1)
    pairs = {number: tuple(line.split("\t")) for number, line in lines if line}
    for number, pair in pairs.items():
        if len(pair) != 2 or not all(pair):
            raise click.ClickException(
                f"{path}, line {number}: write a text, one tab, and what the text becomes"
            )
    return list(pairs.values())


def split_pairs(pairs: Pairs, held_out: int, random: np.random.Generator) -> tuple[Pairs, Pairs]:
    """Pairs to learn from and pairs to be tested on: no text to be rewritten is in both."""
    texts = sorted({text for text, _ in pairs})
    if len(texts) <= held_out:
        raise click.ClickException(
            f"there are {len(texts):,} different texts to rewrite, and {held_out:,} of them "
            "would be held out: ask for fewer with --held-out"
        )
    tested = {texts[i] for i in random.permutation(len(texts))[:held_out]}
    return [p for p in pairs if p[0] not in tested], [p for p in pairs if p[0] in tested]


def show_beam(model: EncoderDecoder, symbols: Symbols, text: str, **options) -> None:
    """The likeliest ways to rewrite a text, with their probabilities."""
    beam, log_p = search(model, symbols.encode([text]), **options)
    ways = zip(symbols.decode(beam[0]), np.exp(log_p[0]), strict=True)
    click.echo(f"{text} -> " + ", ".join(f"{way} {share:.1%}" for way, share in ways))


def share_right(model: EncoderDecoder, symbols: Symbols, pairs: Pairs, **options) -> str:
    """How many of the pairs are rewritten without a mistake."""
    texts, right = zip(*pairs, strict=True)
    written = write_texts(model, symbols, symbols.encode(texts), **options)
    return f"{share_exact(written, right):.1%}"


@click.command()
@click.argument("file", required=False, type=FILE)
@number_option("--held-out", 500, "Texts to be tested on.")
@number_option("--width", 5, "Texts in the beam.")
@click.option("--ask", multiple=True, help="A text to be rewritten; may be given several times.")
@number_option("--units", 128, "Units of the encoder and of the decoder; even.")
@number_option("--epochs", 12, "Passes over the pairs.")
@click.option("--seed", default=1, show_default=True, help="Of what is held out and the weights.")
def main(
    file: Path | None,
    held_out: int,
    width: int,
    ask: tuple[str, ...],
    units: int,
    epochs: int,
    seed: int,
) -> None:
    """Learn to rewrite from the pairs of FILE, or from English verbs and their past tenses."""
    check_even(units)
    fix_seed(seed)
    pairs = read_pairs(file) if file else regular_pairs()
    learnt, tested = split_pairs(pairs, held_out, np.random.default_rng(seed))
    learnt += [] if file else EXCEPTIONS
    symbols = Symbols(text for pair in learnt + tested for text in pair)
    if unknown := {*"".join(ask)} - {*symbols.known}:
        raise click.UsageError(f"no pair has the character {min(unknown)!r} of --ask")
    read, become = (symbols.encode(texts) for texts in zip(*learnt, strict=True))
    model = EncoderDecoder(symbols.size, units)
    model.learn(read, become, epochs=epochs, batch_size=64, learning_rate=5e-3)
    limit = 2 * become.shape[1]  # far beyond the longest: it has to stop by itself
    for text in ask or [text for text, _ in tested[:5]]:
        show_beam(model, symbols, text, limit=limit, width=width)
    figures = [
        ("greedy", share_right(model, symbols, tested, limit=limit)),
        (f"a beam of {width}", share_right(model, symbols, tested, limit=limit, width=width)),
        ("baseline: the text as it is", f"{share_exact(*zip(*tested, strict=True)):.1%}"),
    ]
    if not file:
        ed = share_exact([text + "ed" for text, _ in tested], [right for _, right in tested])
        figures += [
            ('baseline: always add "ed"', f"{ed:.1%}"),
            (
                f"the {len(EXCEPTIONS)} irregular verbs, met in training",
                share_right(model, symbols, EXCEPTIONS, limit=limit),
            ),
        ]
    print_figures(
        f"Share of {len(tested):,} held-out pairs that are right to the last character", figures
    )


if __name__ == "__main__":
    main()
