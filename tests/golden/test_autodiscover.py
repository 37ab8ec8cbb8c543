"""[MS-OXDSCLI] 4.4: the answer with a mapiHttp protocol, as far as its External part, read, made and shown."""

from __future__ import annotations

from gromoxd.autodiscover import pox, soap
from tests.autodiscover.test_pox import BOX, MAILBOX
from tests.golden.test_wire import shown

ANSWER = f"""<?xml version="1.0" encoding="utf-8"?>
 <Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
   <Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a">
     <User>
       <DisplayName>User Display Name</DisplayName>
       <LegacyDN>/o=microsoft/ou=Contoso/cn=Recipients/cn=486021</LegacyDN>
       <AutoDiscoverSMTPAddress>user@Contoso.com</AutoDiscoverSMTPAddress>
       <DeploymentId>30c3a927-42aa-5de8-91e3-8e5b4655ed00</DeploymentId>
     </User>
     <Account>
       <AccountType>email</AccountType>
       <Action>settings</Action>
       <Protocol Type="mapiHttp" Version="1">
         <MailStore>
           <InternalUrl>https://mail.Contoso.com/mapi/emsmdb/?MailboxId={BOX}</InternalUrl>
         </MailStore>
         <AddressBook>
           <InternalUrl>https://mail.Contoso.com/mapi/nspi/?MailboxId={BOX}</InternalUrl>
         </AddressBook>
       </Protocol>
       <Protocol>
         <Type>WEB</Type>
         <External>
           <OWAUrl AuthenticationMethod="Fba">https://mail.Contoso.com/owa</OWAUrl>
           <Protocol>
             <Type>EXPR</Type>
             <ASUrl>https://mail.Contoso.com/ews/exchange.asmx</ASUrl>
           </Protocol>
         </External>
       </Protocol>
     </Account>
   </Response>
 </Autodiscover>
""".encode()


def test_answer_both_ways() -> None:
    """All that the document's server says, ours says of the same mailbox."""
    printed = pox.read_response(ANSWER)
    assert len(printed) == 10
    assert printed[6] == (
        "Response/Account/Protocol[mapiHttp]/MailStore/InternalUrl",
        f"https://mail.Contoso.com/mapi/emsmdb/?MailboxId={BOX}",
    )
    made = pox.read_response(pox.outlook(MAILBOX, mapihttp=True, rpch=True))
    assert set(printed) <= set(made)


def test_dumps() -> None:
    assert 'Response/User/DisplayName: "User Display Name"' in shown("autodiscover-response", ANSWER)
    assert '  address: "user@contoso.com"' in shown("autodiscover-request", pox.write_request("user@Contoso.com"))
    asked = soap.write_request("user@Contoso.com", ["UserDN"], "https://mail.Contoso.com/")
    lines = shown("autodiscover-request", asked)
    assert '  operation: "GetUserSettings"' in lines and '    [0]: "UserDN"' in lines
