"""The whole way of a search, against the consent gate."""

from collections import Counter

import pytest

from kb import consent
from kb.config import Config
from kb.consent import Viewer
from kb.db import Database
from kb.errors import Busy
from kb.search import Query, Search, generations, index, queries
from kb.search.finding import Answer
from tests.search import making
from tests.search.making import AT, LATER, practice, publish, story

EYES = (Viewer.PUBLIC, Viewer.PARTNER, Viewer.MODERATOR)


def found(answer: Answer) -> list[str]:
    return [hit.entry_id for hit in answer.hits]


def test_an_open_search_follows_the_pointer(
    config: Config, db: Database, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even while the generation before still lies there, whole, because a build was interrupted."""
    publish(db, story("tea"))
    index.sync(config, db, AT)
    old = generations.current(config.index)
    assert search.find(db, Query("tea"), Viewer.PUBLIC, AT).total == 1
    publish(db, story("late tea"))
    monkeypatch.setattr(generations, "tidy", lambda _: None)
    index.rebuild(config, db, AT)
    assert old.is_dir()
    assert search.find(db, Query("tea"), Viewer.PUBLIC, AT).total == 2


def test_beginnings_of_words_tell_nothing_about_hidden_entries(config: Config, db: Database, search: Search) -> None:
    """Words of an entry that was hidden but not erased stay in the files for a while; no notice may change with them."""
    words = [f"abc{number:03}x" for number in range(queries.MOST_EXPANSIONS - 1)]
    publish(db, story(" ".join(words)))
    hidden = publish(db, story("abcsecretone abcsecrettwo"))
    index.sync(config, db, AT)
    assert search.find(db, Query("abc*"), Viewer.PUBLIC, AT).notices == ["prefix_too_many"]
    making.narrow(db, hidden, "moderators")
    index.sync(config, db, LATER)
    answer = search.find(db, Query("abc*"), Viewer.PUBLIC, LATER)
    assert (answer.total, answer.notices) == (1, [])
    index.rebuild(config, db, LATER)
    again = search.find(db, Query("abc*"), Viewer.PUBLIC, LATER)
    assert (again.total, again.notices) == (1, [])


def test_without_an_index_it_is_busy(db: Database, search: Search) -> None:
    with pytest.raises(Busy):
        search.find(db, Query(), Viewer.PUBLIC, AT)


def test_an_empty_instance_has_no_hits(config: Config, db: Database, search: Search) -> None:
    index.sync(config, db, AT)
    for text in ("", "x", "x*", '"x y"', "x y"):
        answer = search.find(db, Query(text), Viewer.PUBLIC, AT)
        assert (answer.total, answer.hits, answer.page, answer.pages) == (0, [], 1, 1)


@pytest.mark.parametrize(
    ("lang", "body", "query"),
    [
        ("de", "Wir backen Kuchen für Flüchtlinge.", "fluechtling kuchen"),
        ("de", "Die Straße ist lang.", "STRASSE"),
        ("pl", "Zajęcia w szkole dla dziewcząt.", "szkoła zajecia"),
        ("pl", "Mieszkam w Łodzi.", "lodzi"),
        ("lt", "Kalbos pamokos mokykloje.", "kalba"),
        ("sv", "Barnen sjöng på språkcaféet.", "barn"),
        ("uk", "Моя сім’я співає.", "сім'я"),
        ("ru", "Дети ещё поют.", "еще"),
        ("ar", "ذهبت إلى المَدْرَسَة", "مدرسة"),
        ("fa", "کتاب‌ها را آوردم", "كتاب"),
        ("xx", "Katab waa buug.", "KATAB"),
        ("en", "The war was long.", "the war"),
        ("en", "Plan B, room 7", "b 7"),
        ("en", "A round table in Barth.", '"round table" integr* barth'),
    ],
)
def test_each_language_is_found_in_itself(
    config: Config, db: Database, search: Search, lang: str, body: str, query: str
) -> None:
    if "*" in query:
        body += " Integration."
    wanted = publish(db, story(body, lang=lang))
    publish(db, story("Nothing to find.", lang="en"))
    index.sync(config, db, AT)
    answer = search.find(db, Query(query), Viewer.PUBLIC, AT)
    assert found(answer) == [wanted]
    assert answer.notices == []


def test_a_theme_is_found_in_every_language(config: Config, db: Database, search: Search) -> None:
    wanted = publish(db, story("Gramy razem.", lang="pl"), themes=("football",))
    publish(db, story("Gramy razem.", lang="pl"), themes=("music",))
    index.sync(config, db, AT)
    for word in ("football", "Fußball", "piłka nożna", "futbolas", "fotboll", "футбол", "كرة القدم", "footb*"):
        answer = search.find(db, Query(word), Viewer.PUBLIC, AT)
        assert (word, found(answer), answer.notices) == (word, [wanted], [])
    both = search.find(db, Query("razem football"), Viewer.PUBLIC, AT)
    assert (found(both), both.notices) == ([wanted], [])


def test_half_the_label_of_a_theme_names_nothing(config: Config, db: Database, search: Search) -> None:
    publish(db, story("Nichts.", lang="de"), themes=("informal_learning",))
    index.sync(config, db, AT)
    assert search.find(db, Query("informal"), Viewer.PUBLIC, AT).total == 0
    assert search.find(db, Query("informal learning"), Viewer.PUBLIC, AT).total == 1


def test_places_and_organisations_are_found_by_name(config: Config, db: Database, search: Search) -> None:
    wanted = publish(db, story("Nichts.", lang="de"), region_id="DE80L", organisation_slug="test-association")
    publish(db, story("Nichts.", lang="de"), region_id="PL636")
    index.sync(config, db, AT)
    for word in ("Rügen", "ruegen", "Stralsund", "association"):
        assert found(search.find(db, Query(word), Viewer.PUBLIC, AT)) == [wanted], word


def test_translations_of_practices_are_searched_and_those_of_testimonies_not(
    config: Config, db: Database, search: Search
) -> None:
    wanted = publish(db, practice(lang="de", context="Ein Garten."), others=(practice(lang="pl", context="Jabłko."),))
    publish(db, story("Ein Garten.", lang="de"), others=(story("Jabłko.", lang="pl"),))
    index.sync(config, db, AT)
    answer = search.find(db, Query("jablko"), Viewer.PUBLIC, AT)
    assert found(answer) == [wanted]
    assert answer.facets["lang"] == {"de": 1, "pl": 1}


def test_names_of_people_are_not_searched(config: Config, db: Database, search: Search) -> None:
    publish(db, practice(summary="Tea.", contact="Xenia"), grant={"attribution": "real_name", "credit": "Yolanda"})
    index.sync(config, db, AT)
    assert search.find(db, Query("tea"), Viewer.PUBLIC, AT).total == 1
    assert [search.find(db, Query(name), Viewer.PUBLIC, AT).total for name in ("Xenia", "Yolanda", "Yol*")] == [0, 0, 0]


def test_all_words_are_wanted_and_any_word_is_better_than_nothing(config: Config, db: Database, search: Search) -> None:
    both = publish(db, story("anchor basket"))
    one = publish(db, story("anchor candle"))
    index.sync(config, db, AT)
    assert found(search.find(db, Query("anchor basket"), Viewer.PUBLIC, AT)) == [both]
    answer = search.find(db, Query("anchor zebra"), Viewer.PUBLIC, AT)
    assert sorted(found(answer)) == sorted([both, one])
    assert answer.notices == ["any_word"]


def test_filters_do_not_make_any_word_enough(config: Config, db: Database, search: Search) -> None:
    publish(db, story("anchor basket"))
    publish(db, practice(summary="anchor"))
    index.sync(config, db, AT)
    answer = search.find(db, Query("anchor basket", kinds=("good_practice",)), Viewer.PUBLIC, AT)
    assert (answer.total, answer.notices, answer.facets["kind"]) == (0, [], {"testimony": 1})


def test_the_exact_title_and_the_id_come_first(config: Config, db: Database, search: Search) -> None:
    publish(db, story("tea for all " * 30, title="Tea for all and more tea"))
    wanted = publish(db, story("long " * 400, title="Tea, for all!"))
    index.sync(config, db, AT)
    assert found(search.find(db, Query("tea for all"), Viewer.PUBLIC, AT))[0] == wanted
    assert found(search.find(db, Query(wanted.upper()), Viewer.PUBLIC, AT)) == [wanted]


def test_title_outweighs_body(config: Config, db: Database, search: Search) -> None:
    body = publish(db, story("anchor basket candle", title="dolphin engine forest"))
    title = publish(db, story("dolphin engine forest", title="anchor basket candle"))
    index.sync(config, db, AT)
    assert found(search.find(db, Query("basket"), Viewer.PUBLIC, AT)) == [title, body]


def test_too_many_beginnings_are_said(config: Config, db: Database, search: Search) -> None:
    publish(db, story(" ".join(f"abc{n}" for n in range(300)) + " abc"))
    index.sync(config, db, AT)
    answer = search.find(db, Query("abc*"), Viewer.PUBLIC, AT)
    assert (answer.total, answer.notices) == (1, ["prefix_too_many"])
    assert search.find(db, Query("abc29*"), Viewer.PUBLIC, AT).notices == []


def test_newest_first_and_pages(config: Config, db: Database, search: Search) -> None:
    ids = [publish(db, story("tea"), at=f"2022-11-{day:02}T10:00:00Z") for day in range(1, 13)]
    index.sync(config, db, AT)
    first = search.find(db, Query("tea", sort="newest", per_page=5), Viewer.PUBLIC, AT)
    assert found(first) == ids[::-1][:5]
    assert (first.total, first.pages) == (12, 3)
    for query in (Query("", per_page=5), Query("tea", per_page=5), Query("tea", sort="what", per_page=5)):
        seen = [
            hit
            for page in (1, 2, 3)
            for hit in found(search.find(db, Query(**{**vars(query), "page": page}), Viewer.PUBLIC, AT))
        ]
        assert seen == ids[::-1]
    past = search.find(db, Query("tea", page=99, per_page=5), Viewer.PUBLIC, AT)
    assert (past.page, found(past)) == (3, ids[::-1][10:])
    assert search.find(db, Query("tea", page=-3, per_page=0), Viewer.PUBLIC, AT).page == 1


def test_facets_widen_within_and_narrow_between(config: Config, db: Database, search: Search) -> None:
    publish(db, story("tea", lang="en"), themes=("football",), region_id="DE80L", year_from=2020, year_to=2020)
    publish(db, story("tea", lang="de"), themes=("music",), region_id="PL636", year_from=2021)
    publish(db, practice(lang="de", summary="tea"), themes=("music", "football"), region_id="DE80L", year_from=2021)
    index.sync(config, db, AT)

    def ask(**filters: object) -> Answer:
        return search.find(db, Query("tea", **filters), Viewer.PUBLIC, AT)  # type: ignore[arg-type] # the fields of Query

    everything = ask()
    assert everything.total == 3
    assert everything.facets["kind"] == {"testimony": 2, "good_practice": 1}
    assert everything.facets["theme"]["sport"] == 2
    assert everything.facets["theme"]["football"] == 2
    assert everything.facets["region"] == {"DE80L": 2, "PL636": 1}
    assert everything.years == {2020: 1, 2021: 2, 2022: 1}  # the practice goes on
    german = ask(langs=("de",))
    assert german.total == 2
    assert german.facets["lang"] == {"en": 1, "de": 2}  # its own filter is off
    assert german.facets["kind"] == {"testimony": 1, "good_practice": 1}
    assert ask(langs=("de", "en")).total == 3
    assert ask(langs=("de",), kinds=("testimony",)).total == 1
    assert ask(themes=("sport",)).total == 2
    assert ask(themes=("sport", "music")).total == 3
    assert ask(regions=("nowhere",)).total == 0
    assert ask(year_from=2021).total == 2
    assert ask(year_to=2020).total == 1
    assert ask(year_from=2022, year_to=2022).total == 1
    narrowed = ask(year_from=2021, kinds=("testimony",))
    assert (narrowed.total, narrowed.facets["kind"], narrowed.years) == (
        1,
        {"testimony": 1, "good_practice": 1},
        {2020: 1, 2021: 1},
    )


def test_counts_are_those_of_what_is_shown(config: Config, db: Database, search: Search) -> None:
    """Against a plain loop, for every viewer, over many segments with deletions (Whoosh's own counts are wrong there)."""
    chance = making.chance(11)
    texts = {}
    for _ in range(12):
        for audience in consent.Audience:
            texts |= making.some(db, 2, chance, audience=audience)
        index.sync(config, db, AT)
        gone = chance.choice(list(texts))
        del texts[gone]
        making.withdraw(db, gone, at=AT)
    index.sync(config, db, AT)
    for viewer in EYES:
        allowed = {v.entry_id for v in consent.visible(db, viewer, at=AT)}
        for _ in range(40):
            asked = chance.sample(making.WORDS, chance.choice((1, 2, 3)))
            every = {i for i in allowed if texts[i].issuperset(asked)}
            some = {i for i in allowed if not texts[i].isdisjoint(asked)}
            answer = search.find(db, Query(" ".join(asked), per_page=1000), viewer, AT)
            assert set(found(answer)) == (every or some)
            assert answer.total == sum(answer.facets["kind"].values()) == len(every or some)
            scores = [round(hit.score, 6) for hit in answer.hits]
            assert scores == sorted(scores, reverse=True)


def test_the_gate_decides_before_the_index_knows(config: Config, db: Database, search: Search) -> None:
    """Nothing is synchronised after the change, and still the next search does not show it."""
    made = {name: publish(db, story(f"tea {name}")) for name in ("withdrawn", "narrowed", "revised", "expired", "kept")}
    index.sync(config, db, AT)
    assert search.find(db, Query("tea"), Viewer.PUBLIC, AT).total == 5
    making.withdraw(db, made["withdrawn"])
    making.narrow(db, made["narrowed"], "partners")
    making.revise(db, made["revised"], story("something else"))
    answer = search.find(db, Query("tea"), Viewer.PUBLIC, LATER)
    assert set(found(answer)) == {made["expired"], made["kept"]}
    assert (answer.total, answer.facets["kind"]) == (2, {"testimony": 2})
    assert search.find(db, Query("revised"), Viewer.PUBLIC, LATER).total == 0
    assert search.find(db, Query("tea"), Viewer.PUBLIC, "2026-01-01T00:00:00Z").total == 0


def test_who_sees_what(config: Config, db: Database, search: Search) -> None:
    for audience in consent.Audience:
        publish(db, story("tea"), audience=audience)
    index.sync(config, db, AT)
    assert [search.find(db, Query("tea"), viewer, AT).total for viewer in EYES] == [1, 2, 3]


def test_r17_an_index_with_a_restricted_entry_in_it_leaks_nothing(config: Config, db: Database, search: Search) -> None:
    """Requirement R17: the partners' index is put in the place of the public one."""
    publish(db, story("open harbour"))
    hidden = publish(db, story("secret harbour"), audience="partners", themes=("music",), year_from=1999)
    index.sync(config, db, AT)
    folder = next(config.index.glob("g*"))
    (folder / "public").rename(folder / "was")
    (folder / "partners").rename(folder / "public")
    (folder / "was").rename(folder / "partners")
    assert search.find(db, Query("secret"), Viewer.PARTNER, AT).total == 1
    for text in ("secret", "harbour", "secr*", '"secret harbour"', "", hidden, "music", "harbour zzz"):
        answer = search.find(db, Query(text), Viewer.PUBLIC, AT)
        assert hidden not in found(answer)
        assert (answer.total, answer.facets["theme"], answer.years) == (0, {}, {})


def test_r16_restricted_entries_change_no_answer(config: Config, db: Database, search: Search) -> None:
    """Requirement R16: with and without them a stranger gets the same, score by score."""
    open_ones = [publish(db, story(f"harbour {word}")) for word in making.WORDS[:10]]
    index.sync(config, db, AT)
    asked = [
        Query(text)
        for text in ("", "harbour", "anchor", "zqx1", "zqx*", '"zqx1 harbour"', "anchor zqx2", "harb*", "football")
    ]
    before = [search.find(db, query, Viewer.PUBLIC, AT) for query in asked]
    for number, audience in enumerate(("partners", "moderators") * 5):
        publish(
            db,
            story(f"zqx{number} harbour anchor", title=f"zqx{number}"),
            audience=audience,
            themes=("football",),
            year_from=2001,
        )
    index.sync(config, db, AT)
    assert [search.find(db, query, Viewer.PUBLIC, AT) for query in asked] == before
    assert search.find(db, Query("zqx*"), Viewer.MODERATOR, AT).total == 10
    assert before[1].total == len(open_ones)


def test_nothing_that_can_be_typed_is_an_error(config: Config, db: Database, search: Search) -> None:
    chance = making.chance(5)
    making.some(db, 30, chance)
    publish(db, story("Straße مَدْرَسَة сім’я a b c"))
    index.sync(config, db, AT)
    pieces = [
        *making.WORDS,
        "AND",
        "OR",
        "NOT",
        "(",
        ")",
        '"',
        "„",
        "*",
        "?",
        "~5",
        "^9",
        "[a TO z]",
        "theme:",
        "/x+/",
        "\0",
        "\ud800",
        "ل",
        "ß",
        "a*",
        "anc*",
        "\\",
    ]
    kinds: Counter[str] = Counter()
    for _ in range(800):
        text = chance.choice((" ", "")).join(chance.choice(pieces) for _ in range(chance.randrange(1, 30)))
        answer = search.find(db, Query(text, page=chance.randrange(-1, 5)), Viewer.PUBLIC, AT)
        kinds.update(answer.notices)
        assert answer.total >= len(answer.hits)
    assert set(kinds) >= {"too_many_words", "prefix_too_short", "any_word", "no_words"}
