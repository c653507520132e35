import pytest

from mastra.errors import MastraError, NotFound
from mastra.tools.builtin.files import file_tools


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret.txt")
    return tmp_path / "in"


def tools(folder, **options):
    return {tool.name: tool for tool in file_tools(folder, **options)}


async def test_files_are_read_listed_and_searched(folder):
    by_name = tools(folder)
    assert await by_name["read_file"](path="a.txt", start_line=2, lines=1) == "two\n"
    assert await by_name["list_files"](pattern="*.txt") == [{"path": "a.txt", "kind": "file", "size": 14}]
    assert await by_name["find_in_files"](text="TWO") == [{"path": "a.txt", "line": 2, "text": "two"}]
    assert (await by_name["file_info"](path="/a.txt"))["size"] == 14
    assert "write_file" not in by_name


@pytest.mark.parametrize("path", ["../secret.txt", "link", "a.txt/../../secret.txt", "x\0y", "/../secret.txt"])
async def test_no_path_leads_out(folder, path):
    for tool in tools(folder, write=True).values():
        arguments = {"path": path, "text": "x", "find": "s", "replace": "t", "overwrite": True}
        arguments = {name: arguments[name] for name in tool.json_schema["properties"] if name in arguments}
        if "path" in arguments and tool.name != "list_files":
            with pytest.raises(MastraError):
                await tool(arguments)
    assert (folder.parent / "secret.txt").read_text() == "secret"


async def test_patterns_do_not_lead_out_either(folder):
    by_name = tools(folder)
    with pytest.raises(MastraError):
        await by_name["list_files"](pattern="../*")
    assert all(one["path"] != "link" for one in await by_name["list_files"](pattern="*"))


async def test_files_are_written_and_edited_whole(folder):
    by_name = tools(folder, write=True)
    await by_name["write_file"](path="new/b.txt", text="x y")
    with pytest.raises(MastraError, match="exists"):
        await by_name["write_file"](path="new/b.txt", text="z")
    await by_name["append_to_file"](path="new/b.txt", text=" z")
    await by_name["edit_file"](path="new/b.txt", find="y", replace="Y")
    with pytest.raises(MastraError, match="occurs 0"):
        await by_name["edit_file"](path="new/b.txt", find="q", replace="Q")
    assert (folder / "new" / "b.txt").read_text() == "x Y z"
    assert by_name["delete_file"].require_approval
    await by_name["delete_file"](path="new/b.txt")
    assert not (folder / "new" / "b.txt").exists()


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(NotFound):
        file_tools(tmp_path / "nowhere")
