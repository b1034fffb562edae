"""Machines' letters and what is no client's business; above all: a client's letter is never taken for either."""

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.automated import absent_until, automated, bounced_address, is_business, mailing_list, matter

Signals = dict[str, str]

BULK: Signals = {"precedence": "bulk", "list-unsubscribe": "<https://news.example/u/1>"}
LEAVE: Signals = {"list-unsubscribe": "<mailto:u@news.example>"}

MACHINES: list[tuple[str, Signals, str, str, str]] = [
    # bounces
    ("bounce", {}, "Undelivered Mail Returned to Sender", "I'm sorry, but your message could not be delivered.",
     "MAILER-DAEMON@mx.harbour.example"),
    ("bounce", {"auto-submitted": "auto-replied"}, "Delivery failed", "550 5.1.1 No such user here: jo@kilns.example",
     "Mail <postmaster@mx.harbour.example>"),
    ("bounce", {"x-failed-recipients": "jo@kilns.example"}, "Mail problem", "See attached.", "exim@mx.harbour.example"),
    ("bounce", {"content-type": 'multipart/report; report-type="delivery-status"; boundary=x'}, "Returned", "",
     "mx@harbour.example"),
    ("bounce", {}, "Delivery incomplete: your message to accounts@kilns.example",
     "The mailbox is full. This is a permanent error.", "mail@relay.example"),
    ("bounce", {}, "Недоставленное сообщение", "Не удалось доставить письмо: такого ящика нет. 5.1.1",
     "postmaster@pochta.example"),
    ("bounce", {}, "Письмо не доставлено", "Почтовый ящик переполнен.", "Почта <mailer-daemon@pochta.example>"),
    # out of office
    ("auto_reply", {"auto-submitted": "auto-replied"}, "Re: Kiln", "Back soon.", "jo@kilns.example"),
    ("auto_reply", {"x-autoreply": "yes"}, "Kiln", "Gone fishing.", "jo@kilns.example"),
    ("auto_reply", {"precedence": "auto_reply"}, "Kiln", "Gone fishing.", "jo@kilns.example"),
    ("auto_reply", {}, "Automatic reply: Kiln", "I am out of the office until 3 March.", "jo@kilns.example"),
    ("auto_reply", {}, "Out of office: Re: Kiln", "I'm on annual leave. For urgent matters ring Ann.",
     "jo@kilns.example"),
    ("auto_reply", {}, "Re: Kiln", "I am on leave until 17 February with limited access to email.", "jo@kilns.example"),
    ("auto_reply", {}, "Re: Kiln", "This is an automatic reply. I shall be back on Monday.", "jo@kilns.example"),
    ("auto_reply", {"x-auto-response-suppress": "All"}, "Re: Kiln", "I am away until Friday.", "jo@kilns.example"),
    ("auto_reply", {}, "Автоответ: Тали", "Я в отпуске до 5 марта.", "petr@prichal.example"),
    ("auto_reply", {}, "Не на месте: Re: Тали",
     "Я на сборах до 30 июня. По срочным вопросам обращайтесь в приёмную.", "petr@prichal.example"),
    ("auto_reply", {}, "Re: Тали", "Нахожусь в отпуске по 14 марта, доступ к почте ограничен.", "petr@prichal.example"),
    ("auto_reply", {}, "Тали", "Буду отсутствовать до 9 января. По срочным вопросам звоните диспетчеру.",
     "petr@prichal.example"),
    ("auto_reply", {}, "Re: Заявка", "Ваше обращение зарегистрировано, номер 4471.", "info@prichal.example"),
    ("auto_reply", {}, "Your request", "Your request has been received. We answer within two days.",
     "desk@kilns.example"),
    ("auto_reply", {}, "Automatic reply: Kiln", "Counting seals in Greenland. Olga has the keys.", "jo@kilns.example"),
    ("auto_reply", {}, "Автоответ: Тали", "На курсах с 3 по 11, за меня Лариса, кабинет 14.", "petr@prichal.example"),
    ("notice", {}, "Read: our offer", "Your message", "jo@kilns.example"),  # the rest is cut: it looks like history
    # calendars
    ("calendar_notification", {}, "Accepted: Kiln demo", "Jo Reed has accepted this invitation.", "jo@kilns.example"),
    ("calendar_notification", {}, "New time: Kiln demo", "New time: Kiln demo\n\n09.02.2026 13:00", "jo@kilns.example"),
    ("calendar_notification", {}, "Invitation: Kiln demo @ Tue 3 Mar 2026 10:00",
     "Kiln demo\nWhen: Tue 3 Mar 2026 10:00\nWhere: the yard", "jo@kilns.example"),
    ("calendar_notification", {}, "Declined: Kiln demo", "", "jo@kilns.example"),
    ("calendar_notification", {"content-type": "text/calendar; method=REPLY"}, "Kiln demo", "", "jo@kilns.example"),
    ("calendar_notification", {}, "Принято: Осмотр крана", "Пётр Лесной принял приглашение.", "petr@prichal.example"),
    ("calendar_notification", {}, "Новое время: Осмотр крана", "Осмотр крана\n\n02.03.2026 14:30",
     "petr@prichal.example"),
    ("calendar_notification", {}, "Приглашение: Осмотр крана", "Осмотр крана\nКогда: 02.03.2026 14:30\nМесто: причал 4",
     "petr@prichal.example"),
    ("calendar_notification", {}, "Отменено: Осмотр крана", "02.03.2026 14:30", "petr@prichal.example"),
    # newsletters
    ("newsletter", BULK, "Kiln news no. 12", "Glazes of the year.", "hello@kilnnews.example"),
    ("newsletter", LEAVE, "Spring sale", "Ferns and figs.\n\nView in browser", "events@ferns.example"),
    ("newsletter", LEAVE | {"x-mailer": "Mailchimp Mailer"}, "Spring sale", "Ferns and figs.", "events@ferns.example"),
    ("newsletter", {}, "THE KILN POST - 88", "What to fire in May.\n\nManage your preferences or leave this list.",
     "post@kilnnews.example"),
    ("newsletter", {}, "How to answer 'no budget'", "Seven sentences.\n\nTo stop these mails click here",
     "editors@sales.example"),
    ("newsletter", LEAVE, "Just a thought", "Hi Jo, I was thinking of you today.\n\nAda\n\nUnsubscribe",
     "ada@coach.example"),
    ("newsletter", BULK, "Вестник причала", "Новости порта.", "news@vestnik.example"),
    ("newsletter", LEAVE, "Распродажа", "Скидки до 30%.\n\nОткрыть в браузере", "events@ferns.example"),
    ("newsletter", {}, "Дайджест за март", "Пять новостей.\n\nЧтобы не получать рассылку, нажмите здесь",
     "news@vestnik.example"),
    ("newsletter", {"x-campaign-id": "7"}, "Дайджест за март", "Пять новостей.\n\nОтписаться", "news@vestnik.example"),
    # other machines
    ("notice", {"auto-submitted": "auto-generated"}, "Parcel", "Your parcel is on its way.", "post@parcel.example"),
    ("notice", {}, "Document completed: Agreement 31", "All parties have completed Agreement 31.", "sign@sign.example"),
    ("notice", {}, "Payment advice 771", "We have paid 900.00 to you. Please do not reply to this message.",
     "pay@bank.example"),
    ("notice", {}, "Order 12 in the portal", "A new order waits for you.", "noreply@portal.example"),
    ("notice", {}, "Read: Kiln", "Your message was read on 3 March 2026.", "jo@kilns.example"),
    ("notice", {}, "Договор подписан", "Договор 7-К подписан всеми сторонами.", "sign@podpis.example"),
    ("notice", {}, "Зачисление", "Поступило 900 000 руб. Письмо сформировано автоматически.", "bank@bank.example"),
    ("notice", {}, "Заказ в личном кабинете", "Поступил заказ 12.", "no-reply@portal.example"),
]  # fmt: skip

PEOPLE: list[tuple[str, Signals, str, str]] = [
    ("a client's mail bears List-Unsubscribe", LEAVE, "Re: Kiln", "The board wants it 8% cheaper. Can you?"),
    ("a first enquiry bears List-Unsubscribe", LEAVE, "Kilns", "Dear Jo, we need two kilns by May."),
    ("a client's program adds an opt-out", {}, "Re: Kiln", "We take both.\n\nIf you want no mails, unsubscribe."),
    ("a new letter with an opt-out under it", {}, "Kiln", "Dear Jo, we take both.\n\nUnsubscribe"),
    ("a client says that he is on leave", {}, "Re: Kiln", "I am on leave until Monday, can we talk on Tuesday?"),
    ("a client answers our automatic reply", {}, "Re: Automatic reply: Kiln", "Enjoy the sea. We take both."),
    ("a client has read a paper", {}, "Read: the manual",
     "We have read the manual that you sent, and the burner is not what we need for our pots."),
    ("a client was on leave", {}, "Re: Kiln", "Sorry, I was on leave. We take both."),
    ("a client tells of a full mailbox", {}, "Re: Kiln", "My mailbox is full, please send the offer to Ann."),
    ("a client's offer bounced", {}, "Kiln", "Your message could not be delivered to Ann, she left. Send it to me."),
    ("a client answers an invitation in words", {}, "Re: Invitation: Kiln demo", "Thursday at ten is better for us."),
    ("an invitation to tender", {}, "Invitation: tender 14",
     "Dear Sirs, we invite your firm to quote for four kilns of at least 120 litres, delivered to Riga by 1 June 2026. "
     "The documents are attached. Questions go to Mrs Ilves. Offers must reach us by 10 April at noon."),
    ("a cancelled order", {}, "Cancelled: order 14", "We have to cancel order 14: the roof of the hall gave way."),
    ("a client writes from a shared box", {}, "Order", "Two kilns, please. Ann", ),
    ("a postmaster who is a person", {}, "Kilns for the post office", "Dear Jo, what would two kilns cost?"),
    ("клиент в отпуске и пишет", {}, "Re: Тали", "Я в отпуске до 5 марта, давайте созвонимся шестого?"),
    ("клиент вернулся", {}, "Re: Тали", "Был в отпуске, прочёл только сейчас. Берём."),
    ("клиент ждёт отпуска", {}, "Re: Тали", "Решение после праздников: директор в отпуске по семейным делам."),
    ("приглашение на тендер", {}, "Приглашение: закупка талей",
     "Добрый день! Приглашаем вас принять участие в закупке двух талей грузоподъёмностью 3,2 т со сроком поставки до "
     "1 июня 2026 года. Документы во вложении, вопросы принимает отдел снабжения до пятницы."),
    ("отменённый заказ", {}, "Отменено: заказ 14", "Вынуждены отменить заказ 14, крыша цеха просела."),
    ("письмо с отпиской внизу", LEAVE, "Re: Тали", "Дорого. Сбросите 8% – берём.\n\nОтписаться"),
    ("договор не существует", {}, "Re: Договор", "Такого пункта в договоре не существует."),
    ("акт сформирован", {}, "Re: Акт", "Акт сформировано автоматически не приняли, пришлите с подписью."),
    ("автоматически в деле", {}, "Ворота", "Ворота должны закрываться автоматически. Сколько стоит?"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "signals", "subject", "text", "sender"), MACHINES)
def test_a_machine_is_known_for_what_it_is(kind: str, signals: Signals, subject: str, text: str, sender: str) -> None:
    assert automated(signals, subject, text, sender) == kind


@pytest.mark.parametrize(("why", "signals", "subject", "text"), PEOPLE, ids=[case[0] for case in PEOPLE])
def test_a_client_is_not_taken_for_a_machine(why: str, signals: Signals, subject: str, text: str) -> None:
    assert automated(signals, subject, text, "Jo Reed <jo@kilns.example>") == "", why
    assert matter(signals, subject, text, "Jo Reed <jo@kilns.example>") == "", why


def test_a_mail_system_that_asks_for_a_price_is_a_person() -> None:
    assert automated({}, "Kilns", "Dear Jo, what would two kilns cost?", "postmaster@riga.example") == ""


def test_a_discussion_list_is_no_newsletter() -> None:
    signals = {"list-id": "<roofers.lists.example>", "list-post": "<mailto:roofers@lists.example>"}
    assert mailing_list(signals)
    assert automated(signals | BULK, "[roofers] Slate", "Who sells slate?\n\nUnsubscribe", "a@b.example") == ""
    assert not mailing_list({"list-id": "<news.example>", "list-post": "NO"})


# -- no client's business -------------------------------------------------------------------------------------------

ELSEWHERE = [
    ("recruit", "Potter looking for a new challenge", "Nine years in glazing, free from May. Shall I send my profile?"),
    ("recruit", "Your vacancy", "Please find my CV attached. I have six years of experience."),
    ("recruit", "Candidates for you", "We are a recruitment agency and have candidates for your workshop."),
    ("recruit", "Ищу работу", "Механик, двенадцать лет опыта, свободен с мая. Прислать резюме?"),
    ("recruit", "Подбор персонала", "Наше кадровое агентство подберёт вам крановщиков, есть вакансии и кандидаты."),
    ("vendor", "First page of Google", "We help companies like yours with search engine optimisation."),
    ("vendor", "Cooperation proposal", "Let me introduce our company: we are a leading supplier of pallets."),
    ("vendor", "Monthly bill", "Your monthly bill for your mobile lines is ready."),
    ("vendor", "Предложение о сотрудничестве", "Наша компания занимается вывозом мусора, наш прайс во вложении."),
    ("vendor", "Продвижение сайтов", "Увеличим продажи и приведём клиентов."),
    ("vendor", "Счёт за мобильную связь", "Счёт готов в личном кабинете."),
    ("private", "grandma's 80th", "Have you booked the restaurant or shall I?"),
    ("private", "Saturday", "The kids want to go to the beach at the weekend, are you in?"),
    ("private", "в субботу", "Мама просила забрать рассаду с дачи, заедешь?"),
    ("private", "Re: выходные", "Дети ждут шашлыки, бабушка печёт торт."),
]

CLIENTS = [
    ("a counter-offer", "Re: Kiln", "We offer you 19 instead of 24 and we order."),
    ("a school speaks of children", "Playground", "The kids love your swings. Please send an offer for two more."),
    ("an agency is a client", "Desks", "We are a recruitment agency in Riga and need forty desks by May."),
    ("a hotel speaks of weekends", "Re: Boats", "Our guests want boats at the weekend; the jetty is too short."),
    ("a client's contract for us", "Re: Contract", "The agreement is enclosed for your signature."),
    ("a client leases", "Vans", "We lease our vans and want your trackers in them. What is the price?"),
    ("a client's candidate", "Re: Training", "Our new engineer starts in May, then we can install it."),
    ("школа говорит о детях", "Качели", "Дети в восторге, пришлите счёт ещё на две качели."),
    ("дом отдыха", "Re: Лодки", "На выходные гости просят лодки, а причал короткий."),
    ("встречная цена", "Re: Тали", "Предлагаем 19 вместо 24, и оформляем заказ."),
    ("договор на подпись", "Re: Договор", "Договор на подпись во вложении."),
    ("производитель как клиент", "Тали", "Мы являемся производителем лодок, нужны две тали. Цена?"),
    ("личный кабинет клиента", "Re: Счёт", "Счёт видим в личном кабинете, оплатим в пятницу."),
    ("жена директора", "Re: Тали", "Решает жена директора, она вернётся в мае."),
]


@pytest.mark.parametrize(("why", "subject", "text"), ELSEWHERE)
def test_a_letter_that_is_no_clients_business_is_told(why: str, subject: str, text: str) -> None:
    assert matter({}, subject, text, "someone@elsewhere.example") == why


@pytest.mark.parametrize(("why", "subject", "text"), CLIENTS, ids=[case[0] for case in CLIENTS])
def test_in_doubt_a_letter_is_a_clients(why: str, subject: str, text: str) -> None:
    assert matter({}, subject, text, "jo@kilns.example") == "", why
    assert automated({}, subject, text, "jo@kilns.example") == "", why
    assert is_business({}, subject, text, "jo@kilns.example"), why


def test_suppliers_recruiters_and_bounces_are_business_but_advertising_and_friends_are_not() -> None:
    by = "someone@elsewhere.example"
    assert is_business({}, "Счёт за мобильную связь", "Счёт готов в личном кабинете.", by)
    assert is_business({}, "Your vacancy", "Please find my CV attached.", by)
    assert is_business({}, "Undelivered mail", "No such user.", "mailer-daemon@mx.example")
    assert not is_business({}, "First page of Google", "We help companies like yours.", by)
    assert not is_business({}, "Your view", "Please take part in our survey.", by)
    assert not is_business({}, "Ваше мнение", "Примите участие в опросе покупателей.", by)
    assert not is_business(BULK, "News", "Glazes.", by)
    assert not is_business({}, "grandma's 80th", "Have you booked the restaurant?", by)


# -- what such letters tell -----------------------------------------------------------------------------------------

WRITTEN = date(2026, 2, 4)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I am on parental leave until Tue 17 Feb. Bye.", date(2026, 2, 17)),
        ("I'm away till March 3rd, 2027.", date(2027, 3, 3)),
        ("I will be back on 2026-03-04.", date(2026, 3, 4)),
        ("Back in the office on Monday.", date(2026, 2, 9)),
        ("Out of office from 1 to 14 March.", date(2026, 3, 14)),
        ("Away until 5 January.", date(2027, 1, 5)),
        ("В отпуске по уходу до 18 февраля.", date(2026, 2, 18)),
        ("В отпуске до 28.02. Письма не читаю.", date(2026, 2, 28)),
        ("Я в отпуске с 1 по 14 марта.", date(2026, 3, 14)),
        ("Инвентаризация, вернёмся 3 марта.", date(2026, 3, 3)),
        ("Вернусь в понедельник.", date(2026, 2, 9)),
        ("Меня нет до 12.01.27.", date(2027, 1, 12)),
        ("I am out of the office.", None),
        ("В отпуске до 31 февраля.", None),
    ],
)
def test_the_day_of_return_is_read(text: str, day: date | None) -> None:
    assert absent_until(text, WRITTEN) == day


def test_a_day_without_a_year_is_no_date_when_nobody_knows_when_it_was_written() -> None:
    assert absent_until("В отпуске до 18 февраля.") is None
    assert absent_until("В отпуске до 18 февраля 2026 г.") == date(2026, 2, 18)


@pytest.mark.parametrize(
    ("text", "signals", "address"),
    [
        ("Could not be handed over to jo@kilns.example.\nReason: 5.1.1", {}, "jo@kilns.example"),
        ("Final-Recipient: rfc822; Jo@Kilns.example\nAction: failed", {}, "jo@kilns.example"),
        ("From postmaster@mx.example: <jo@kilns.example> is unknown", {}, "jo@kilns.example"),
        ("See attached.", {"x-failed-recipients": "jo@kilns.example"}, "jo@kilns.example"),
        ("Не удалось доставить: petr@prichal.example", {}, "petr@prichal.example"),
        ("No address here.", {}, ""),
    ],
)
def test_a_bounce_names_the_address_that_failed(text: str, signals: Signals, address: str) -> None:
    assert bounced_address(text, signals) == address


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3), st.text(), st.text(), st.text())
def test_no_letter_breaks_the_rules(signals: Signals, subject: str, text: str, sender: str) -> None:
    automated(signals, subject, text, sender)
    matter(signals, subject, text, sender)
    is_business(signals, subject, text, sender)
    absent_until(text, WRITTEN)
    bounced_address(text, signals)


@pytest.mark.parametrize("piece", ["until ", "a@", "from 1 ", "1.1.", "unsubscribe ", "until mon ", "a.b@c."])
def test_a_hostile_letter_is_done_with_quickly(piece: str) -> None:
    text = piece * 100_000
    start = time.process_time()
    automated({}, text, text, text)
    matter({}, text, text, text)
    absent_until(text, WRITTEN)
    bounced_address(text, {})
    assert time.process_time() - start < 1
