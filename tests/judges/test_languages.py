"""Plain reports and plain requests in many languages: the first are friction, the second are not.

The sentences are invented. Nothing but the person's words tells the two apart here: the agent
edited a file and said that it was done, and what it answered is not looked at.
"""

from typing import NamedTuple

import pytest

from judges.rules import RulesJudge
from tests.judges.build import agent, edited, person, session


class Spoken(NamedTuple):
    """What the agent claims and what people say to it, in one language."""

    claim: str
    friction: tuple[str, ...]
    clean: tuple[str, ...]


LANGUAGES = {
    "en": Spoken(
        "Done. All tests pass now.",
        (
            "It still crashes when I open the page.",
            "That's not what I asked for, I wanted a table.",
            "The list is empty, nothing shows up.",
            "You removed the wrong function, put it back.",
            "Hmm, the date is off by one.",
            "No, keep the old name.",
        ),
        (
            "Great, now add a login page.",
            "Now write the documentation for it.",
            "Please commit and push.",
            "What does this function return?",
            "Use the second option.",
            "Next, let's look at the report module.",
        ),
    ),
    "de": Spoken(
        "Fertig. Alle Tests laufen durch.",
        (
            "Es stürzt immer noch ab, wenn ich die Seite öffne.",
            "Das habe ich nicht gemeint, ich wollte eine Tabelle.",
            "Die Liste ist leer, es wird nichts angezeigt.",
            "Du hast die falsche Funktion entfernt, mach das rückgängig.",
            "Nein, behalte den alten Namen.",
            "Das Datum ist um einen Tag verschoben.",
        ),
        (
            "Super, jetzt bitte eine Anmeldeseite bauen.",
            "Schreib jetzt die Dokumentation dazu.",
            "Bitte committen und pushen.",
            "Was gibt diese Funktion zurück?",
            "Nimm die zweite Variante.",
            "Als Nächstes schauen wir uns das Berichtsmodul an.",
        ),
    ),
    "fr": Spoken(
        "Terminé. Tous les tests passent.",
        (
            "Ça plante toujours quand j'ouvre la page.",
            "Ce n'est pas ce que je voulais, je voulais un tableau.",
            "La liste est vide, rien ne s'affiche.",
            "Tu as supprimé la mauvaise fonction, remets-la.",
            "Non, garde l'ancien nom.",
            "La date est décalée d'un jour.",
        ),
        (
            "Super, ajoute maintenant une page de connexion.",
            "Écris maintenant la documentation.",
            "Fais un commit et pousse.",
            "Que renvoie cette fonction ?",
            "Prends la deuxième option.",
            "Passons maintenant au module des rapports.",
        ),
    ),
    "es": Spoken(
        "Listo. Todas las pruebas pasan.",
        (
            "Sigue fallando cuando abro la página.",
            "Eso no es lo que pedí, quería una tabla.",
            "La lista está vacía, no aparece nada.",
            "Borraste la función equivocada, devuélvela.",
            "No, deja el nombre anterior.",
            "La fecha está corrida un día.",
        ),
        (
            "Genial, ahora agrega una página de inicio de sesión.",
            "Ahora escribe la documentación.",
            "Haz commit y push por favor.",
            "¿Qué devuelve esta función?",
            "Usa la segunda opción.",
            "Ahora veamos el módulo de informes.",
        ),
    ),
    "pt": Spoken(
        "Pronto. Todos os testes passam.",
        (
            "Ainda quebra quando abro a página.",
            "Não era isso que eu pedi, eu queria uma tabela.",
            "A lista está vazia, não aparece nada.",
            "Você apagou a função errada, coloca de volta.",
            "Não, mantém o nome antigo.",
        ),
        (
            "Ótimo, agora adiciona uma página de login.",
            "Agora escreve a documentação.",
            "Pode commitar.",
            "O que essa função retorna?",
            "Usa a segunda opção.",
        ),
    ),
    "it": Spoken(
        "Fatto. Tutti i test passano.",
        (
            "Si blocca ancora quando apro la pagina.",
            "Non è quello che ho chiesto, volevo una tabella.",
            "La lista è vuota, non compare niente.",
            "Hai cancellato la funzione sbagliata, rimettila.",
            "No, lascia il vecchio nome.",
        ),
        (
            "Perfetto, ora aggiungi una pagina di login.",
            "Adesso scrivi la documentazione.",
            "Fai commit e push.",
            "Cosa restituisce questa funzione?",
            "Usa la seconda opzione.",
        ),
    ),
    "ru": Spoken(
        "Готово. Все тесты проходят.",
        (
            "Страница всё ещё падает при открытии.",
            "Это не то, что я просил, мне нужна таблица.",
            "Список пустой, ничего не отображается.",
            "Ты удалил не ту функцию, верни её.",
            "Нет, оставь старое имя.",
        ),
        (
            "Отлично, теперь добавь страницу входа.",
            "Теперь напиши документацию.",
            "Закоммить и запушь.",
            "Что возвращает эта функция?",
            "Возьми второй вариант.",
        ),
    ),
    "zh": Spoken(
        "完成了，所有测试都通过了。",
        (
            "打开页面还是崩溃。",
            "这不是我要的，我要的是表格。",
            "列表是空的，什么都没显示。",
            "你删错函数了，恢复回来。",
            "不，保留原来的名字。",
            "日期差了一天。",
        ),
        (
            "很好，现在加一个登录页面。",
            "现在写一下文档。",
            "提交并推送。",
            "这个函数返回什么？",
            "用第二个方案。",
            "接下来看报表模块。",
        ),
    ),
    "ja": Spoken(
        "完了しました。テストはすべて通りました。",
        (
            "ページを開くとまだ落ちます。",
            "そうじゃなくて、表が欲しいです。",
            "リストが空で何も表示されません。",
            "間違った関数を消しています。元に戻してください。",
            "いや、名前は前のままで。",
        ),
        (
            "いいですね、次はログインページを追加して。",
            "ドキュメントを書いてください。",
            "コミットしてプッシュして。",
            "この関数は何を返しますか？",
            "二番目の案でお願いします。",
        ),
    ),
    "ko": Spoken(
        "완료했습니다. 모든 테스트가 통과합니다.",
        (
            "페이지를 열면 여전히 죽어요.",
            "그게 아니라 표가 필요해요.",
            "목록이 비어 있고 아무것도 안 보여요.",
            "잘못된 함수를 지웠어요. 되돌려 주세요.",
            "아니, 예전 이름 그대로 두세요.",
        ),
        (
            "좋아요, 이제 로그인 페이지를 추가해 주세요.",
            "이제 문서를 작성해 주세요.",
            "커밋하고 푸시해 주세요.",
            "이 함수는 뭘 반환하나요?",
            "두 번째 방법으로 해 주세요.",
        ),
    ),
    "nl": Spoken(
        "Klaar. Alle tests slagen.",
        (
            "Het crasht nog steeds als ik de pagina open.",
            "Dat is niet wat ik vroeg, ik wilde een tabel.",
            "De lijst is leeg, er verschijnt niets.",
            "Je hebt de verkeerde functie verwijderd, zet hem terug.",
            "Nee, houd de oude naam.",
        ),
        (
            "Mooi, voeg nu een inlogpagina toe.",
            "Schrijf nu de documentatie.",
            "Commit en push maar.",
            "Wat geeft deze functie terug?",
            "Neem de tweede optie.",
        ),
    ),
    "pl": Spoken(
        "Gotowe. Wszystkie testy przechodzą.",
        (
            "Nadal się wywala po otwarciu strony.",
            "To nie to, o co prosiłem, chciałem tabelę.",
            "Lista jest pusta, nic się nie wyświetla.",
            "Usunąłeś złą funkcję, przywróć ją.",
            "Nie, zostaw starą nazwę.",
        ),
        (
            "Świetnie, teraz dodaj stronę logowania.",
            "Teraz napisz dokumentację.",
            "Zrób commit i push.",
            "Co zwraca ta funkcja?",
            "Weź drugą opcję.",
        ),
    ),
    "tr": Spoken(
        "Bitti. Tüm testler geçiyor.",
        (
            "Sayfayı açınca hâlâ çöküyor.",
            "İstediğim bu değil, tablo istemiştim.",
            "Liste boş, hiçbir şey görünmüyor.",
            "Yanlış fonksiyonu sildin, geri koy.",
            "Hayır, eski adı kalsın.",
        ),
        (
            "Harika, şimdi bir giriş sayfası ekle.",
            "Şimdi belgeleri yaz.",
            "Commit at ve push et.",
            "Bu fonksiyon ne döndürüyor?",
            "İkinci seçeneği kullan.",
        ),
    ),
    "hi": Spoken(
        "हो गया। सभी टेस्ट पास हो गए।",
        (
            "पेज खोलने पर अभी भी क्रैश होता है।",
            "मैंने यह नहीं माँगा था, मुझे तालिका चाहिए थी।",
            "सूची खाली है, कुछ नहीं दिख रहा।",
            "तुमने गलत फ़ंक्शन हटा दिया, वापस लाओ।",
        ),
        (
            "बढ़िया, अब लॉगिन पेज जोड़ो।",
            "अब दस्तावेज़ लिखो।",
            "यह फ़ंक्शन क्या लौटाता है?",
        ),
    ),
    "ar": Spoken(
        "تم. جميع الاختبارات ناجحة.",
        (
            "ما زالت الصفحة تتعطل عند فتحها.",
            "ليس هذا ما طلبته، أردت جدولا.",
            "القائمة فارغة ولا يظهر شيء.",
            "لقد حذفت الدالة الخطأ، أعدها.",
        ),
        (
            "رائع، أضف الآن صفحة تسجيل الدخول.",
            "اكتب الآن التوثيق.",
            "ماذا ترجع هذه الدالة؟",
        ),
    ),
    "vi": Spoken(
        "Xong. Tất cả test đều qua.",
        (
            "Mở trang vẫn bị lỗi.",
            "Không phải cái tôi yêu cầu, tôi muốn một bảng.",
            "Danh sách trống, không hiện gì cả.",
            "Bạn xóa nhầm hàm rồi, khôi phục lại đi.",
        ),
        (
            "Tốt, giờ thêm trang đăng nhập.",
            "Viết tài liệu đi.",
            "Hàm này trả về gì?",
        ),
    ),
    "id": Spoken(
        "Selesai. Semua tes lulus.",
        (
            "Masih crash saat saya buka halamannya.",
            "Bukan itu yang saya minta, saya mau tabel.",
            "Daftarnya kosong, tidak muncul apa-apa.",
            "Kamu menghapus fungsi yang salah, kembalikan.",
        ),
        (
            "Bagus, sekarang tambahkan halaman login.",
            "Sekarang tulis dokumentasinya.",
            "Fungsi ini mengembalikan apa?",
        ),
    ),
    "uk": Spoken(
        "Готово. Усі тести проходять.",
        (
            "Сторінка все ще падає.",
            "Це не те, що я просив, мені потрібна таблиця.",
            "Список порожній, нічого не відображається.",
            "Ти видалив не ту функцію, поверни її.",
        ),
        (
            "Чудово, тепер додай сторінку входу.",
            "Тепер напиши документацію.",
            "Що повертає ця функція?",
        ),
    ),
}


@pytest.mark.parametrize("spoken", LANGUAGES.values(), ids=LANGUAGES.keys())
def test_reports_are_friction_and_requests_are_not(spoken: Spoken) -> None:
    felt = {turn: _is_friction(spoken.claim, turn) for turn in (*spoken.friction, *spoken.clean)}
    assert felt == {turn: turn in spoken.friction for turn in felt}


def _is_friction(claim: str, turn: str) -> bool:
    told = session(person("Hello"), agent(claim, edited("page.py")), person(turn))
    return any(moment.polarity == "friction" for moment in RulesJudge(b"salt")(told).moments)
