from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("onnxruntime") is None:
    pytest.skip("ailb[rag] is not installed", allow_module_level=True)

from ailb.commands.rag_gateway import Gateway
from ailb.commands.rag_ingest import How, Sums, ingest
from ailb.embed_files import PACKAGED
from ailb.errors import BadRequest, Forbidden, Unavailable
from ailb.ingest.limits import Limits
from ailb.ingest.parse import KINDS
from tests.ailb.commands.library import Library, serving
from tests.ailb.ingest.pdfs import pdf

LIMITS = Limits(chunk=200, overlap=0)


class Steps:
    def __init__(self) -> None:
        self.files = 0
        self.steps = 0

    def begin(self, files: int) -> None:
        self.files = files

    def step(self, sums: Sums) -> None:
        self.steps += 1


@pytest.fixture
def library() -> Iterator[Library]:
    with serving(Library()) as there:
        yield there


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    (docs / "sub").mkdir(parents=True)
    (docs / "guide.md").write_text("# The guide\n\n## Use\n\nJust use it.")
    (docs / "sub" / "long.txt").write_text("word " * 2000)
    (docs / "sub" / "two.pdf").write_bytes(pdf(["one", "two"]))
    return docs


async def take(library: Library, *paths: Path, how: How | None = None) -> Sums:
    return await ingest(Gateway(library.url), "manual", paths, how or How(limits=LIMITS, pauses=()), Steps())


async def test_a_folder_goes_in(library: Library, folder: Path) -> None:
    steps = Steps()
    sums = await ingest(Gateway(library.url), "manual", [folder], How(limits=LIMITS, shared=True), steps)
    assert (3, 0, 0, []) == (sums.taken, sums.unchanged, sums.removed, sums.problems)
    assert (3, 3) == (steps.files, steps.steps)
    assert library.collections["manual"]["shared"]
    guide, long, two = (library.documents[id] for id in ("guide.md", "sub/long.txt", "sub/two.pdf"))
    assert ("The guide", "guide.md", 33, "", True) == (guide["title"], guide["source"], guide["bytes"], guide["embedder"], guide["last"])
    assert [{"text": "# The guide\n\n## Use\n\nJust use it.", "heading": "The guide", "page": None}] == guide["pieces"]
    assert [1, 2] == [piece["page"] for piece in two["pieces"]]
    assert "word " * 1999 + "word" == " ".join(piece["text"] for piece in long["pieces"])
    assert long["last"]
    assert sums.passages == sum(len(document["pieces"]) for document in library.documents.values())


async def test_what_has_not_changed_is_left_alone(library: Library, folder: Path) -> None:
    await take(library, folder)
    (folder / "guide.md").write_text("# Another")
    library.seen.clear()
    sums = await take(library, folder)
    assert (1, 2, 0) == (sums.taken, sums.unchanged, sums.removed)
    assert ["PUT manual/documents/guide.md/chunks"] == library.writes()


async def test_what_is_gone_from_a_folder_is_removed_and_nothing_else(library: Library, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "there.txt").write_text("there")
    await take(library, folder, other)
    await take(library, folder / "guide.md")
    library.documents["uploaded"] = {"id": "uploaded", "hash": "0", "metadata": {}}
    (folder / "sub" / "two.pdf").unlink()
    (other / "there.txt").unlink()
    assert 0 == (await take(library, folder, how=How(keep=True, limits=LIMITS))).removed
    sums = await take(library, folder)
    assert 1 == sums.removed
    assert {"guide.md", "sub/long.txt", "there.txt", "uploaded"} == set(library.documents)


async def test_bad_ones_are_named_and_the_rest_goes_in(library: Library, folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(b"no")
    (folder / "big.txt").write_bytes(b"x" * 20_000)
    (folder / "deep.html").write_bytes(b"<div>" * 3_000)
    (folder / "letter.docx").write_text("is really a text")
    library.refuses = {"guide.md": 400}
    how = How(limits=Limits(chunk=200, overlap=0, bytes=16_000), pauses=(), jobs=2)
    sums = await take(library, folder, folder / "no-such", folder / "letter.docx", how=how)
    assert 1 == sums.others
    assert {
        "bad.pdf: is a broken PDF: Stream has ended unexpectedly",
        "big.txt: has 20000 bytes, and may have 16000",
        "deep.html: is nested too deeply",
        "guide.md: guide.md: no",
        f"letter.docx: is of no kind that can be read; there are {', '.join(KINDS)}",
        f"{folder}/no-such: there is no such file or folder",
    } == {problem.message for problem in sums.problems}
    assert {"sub/long.txt", "sub/two.pdf"} == set(library.documents)


async def test_one_that_became_unreadable_is_not_removed(library: Library, folder: Path) -> None:
    await take(library, folder)
    (folder / "sub" / "two.pdf").write_bytes(b"no")
    sums = await take(library, folder)
    assert (0, 1) == (sums.removed, len(sums.problems))
    assert "sub/two.pdf" in library.documents


async def test_vectors_are_made_here_where_the_model_is_the_gateways(folder: Path) -> None:
    with serving(Library(PACKAGED)) as library:
        await take(library, folder / "guide.md")
    (piece,) = library.documents["guide.md"]["pieces"]
    assert (PACKAGED, 384) == (library.documents["guide.md"]["embedder"], len(piece["vector"]))


async def test_another_model_is_the_gateways_own_affair(folder: Path) -> None:
    with serving(Library("openai/small")) as library:
        await take(library, folder / "guide.md")
    document = library.documents["guide.md"]
    assert "openai/small" == document["embedder"]
    assert "vector" not in document["pieces"][0]


async def test_a_busy_gateway_is_asked_again(library: Library, folder: Path) -> None:
    library.busy = 2
    sums = await take(library, folder / "guide.md", how=How(pauses=(0, 0)))
    assert 1 == sums.taken
    library.busy = 100
    with pytest.raises(Unavailable, match="busy"):
        await take(library, folder, how=How(pauses=(0, 0)))


async def test_a_refusal_of_everything_ends_it_and_the_next_run_goes_on(library: Library, folder: Path) -> None:
    library.refuses = {"sub/long.txt": 403}
    with pytest.raises(Forbidden):
        await take(library, folder)
    library.refuses = {}
    sums = await take(library, folder)
    assert (2, 1) == (sums.taken, sums.unchanged)


@pytest.mark.parametrize("shared", [True, False])
async def test_a_collection_is_not_taken_for_another_one(library: Library, folder: Path, shared: bool) -> None:
    library.collections["manual"] = {"shared": shared, "embedder": None}
    with pytest.raises(BadRequest, match="not shared" if not shared else "that is shared"):
        await take(library, folder, how=How(shared=not shared, pauses=()))


async def test_a_file_without_an_end_to_its_name_is_text(library: Library, tmp_path: Path) -> None:
    (tmp_path / "README").write_text("Read me.")
    await take(library, tmp_path / "README")
    assert "Read me." == library.documents["README"]["pieces"][0]["text"]
