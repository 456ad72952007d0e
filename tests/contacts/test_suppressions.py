"""Suppression lists: brought in, taken out, and obeyed."""

import pytest
from django.core.management import CommandError, call_command

from campaigns import enqueue
from contacts.marketing_blocks import phones_suppressed_at_store_or_everywhere
from contacts.models import Suppression
from messaging import sending
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_list_is_brought_in_for_a_store_and_obeyed(tmp_path, sandbox, capsys):
    store, other = make_store(phone_region="GR"), make_store("bella")
    path = tmp_path / "list.csv"
    path.write_text("phone,why\n690 000 0000,left\n+306900000001,\nnonsense,\n\n+306900000001,\n")
    call_command("suppressions", "import", str(path), store=store.email)
    captured = capsys.readouterr()
    assert "2 added, 0 known" in captured.out
    assert "1 line holds no number: 4" in captured.err
    for owner, sent in ((store, 1), (other, 3)):
        campaign = enqueue.enqueue_campaign(make_campaign(owner, make_list(owner, 3)).pk)
        while sending.process_next_batch() != "none due":
            pass
        campaign.refresh_from_db()
        assert campaign.sent == sent
    call_command("suppressions", "import", str(path), store=store.email)
    assert "0 added, 2 known" in capsys.readouterr().out


def test_what_is_taken_out_can_be_brought_in_again_and_names_no_number(tmp_path):
    store = make_store()
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text("+306900000000\n+306900000001\n")
    call_command("suppressions", "import", str(path))
    call_command("suppressions", "export", str(out))
    assert "3069" not in out.read_text()
    Suppression.objects.all().delete()
    call_command("suppressions", "import", str(out), store=store.email)
    assert phones_suppressed_at_store_or_everywhere(
        store.pk, ["+306900000000", "+306900000002"]
    ) == {"+306900000000"}


def test_a_list_for_every_store_holds_for_each(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("+306900000000\n")
    call_command("suppressions", "import", str(path))
    assert phones_suppressed_at_store_or_everywhere(make_store().pk, ["+306900000000"]) == {
        "+306900000000"
    }


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(CommandError, match="name a file"):
        call_command("suppressions", "import", "nowhere.csv")
