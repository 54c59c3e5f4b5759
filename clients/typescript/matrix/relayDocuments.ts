// Read by relay-compiler only; relay.ts imports what that makes of it.
import { graphql } from "relay-runtime";

graphql`
  mutation relayDocumentsSignUpMutation($input: CreateCustomerInput!) {
    createCustomer(input: $input) { __typename ... on UserError { code } }
  }
`;
graphql`
  mutation relayDocumentsConfirmMutation($input: ConfirmCustomerInput!) {
    confirmCustomer(input: $input) { __typename }
  }
`;
graphql`
  mutation relayDocumentsSignInMutation($input: CreateAccessTokenInput!) {
    createAccessToken(input: $input) { ... on CreateAccessTokenSuccess { tokens { accessToken refreshToken } } }
  }
`;
graphql`
  mutation relayDocumentsRefreshMutation($input: RefreshAccessTokenInput!) {
    refreshAccessToken(input: $input) { ... on RefreshAccessTokenSuccess { tokens { accessToken refreshToken } } }
  }
`;
graphql`
  query relayDocumentsMeQuery { me { id ...relayDocuments_customer } }
`;
graphql`
  fragment relayDocuments_customer on Customer @refetchable(queryName: "relayDocumentsRefetchQuery") { email }
`;
